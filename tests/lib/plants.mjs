// Searching octets for planted values, as they are and in the encodings in which they could hide.
import { readdirSync, readFileSync, openSync, readSync, closeSync, statSync } from 'node:fs';
import { join } from 'node:path';

const chunkBytes = 64 << 20;

// What of a value's Base64 is the same whatever stands around it, for each of the three ways in which it can be aligned.
function base64Cores(value) {
  return [0, 1, 2].map((before) => {
    const padded = Buffer.concat([Buffer.alloc(before), value]);
    const text = padded.subarray(0, padded.length - (padded.length % 3)).toString('base64');
    return text.slice(Math.ceil((before * 8) / 6));
  });
}

// [{ what, octets }] of a named value; values shorter than eight octets would be found by chance.
export function needlesOf(name, value) {
  const octets = Buffer.isBuffer(value) ? value : Buffer.from(value, 'utf8');
  if (octets.length < 8) throw new Error(`${name} is too short to be searched for`);
  const hex = octets.toString('hex');
  const cores = base64Cores(octets);
  return [
    ['plain', octets],
    ['hex', Buffer.from(hex)],
    ['HEX', Buffer.from(hex.toUpperCase())],
    ['UTF-16LE', Buffer.from(octets.toString('latin1'), 'utf16le')],
    ['UTF-16BE', Buffer.from(octets.toString('latin1'), 'utf16le').swap16()],
    ...cores.flatMap((core, i) => [
      [`base64/${i}`, Buffer.from(core)],
      [`base64url/${i}`, Buffer.from(core.replaceAll('+', '-').replaceAll('/', '_'))],
    ]),
  ]
    .filter(([, needle], i, all) => all.findIndex(([, other]) => other.equals(needle)) === i)
    .map(([encoding, needle]) => ({ what: `${name} (${encoding})`, octets: needle }));
}

// Which of the needles are in the octets, once each.
export function search(octets, needles, where) {
  const found = [];
  for (const { what, octets: needle } of needles) {
    const at = octets.indexOf(needle);
    if (at < 0) continue;
    const around = octets.subarray(Math.max(0, at - 48), at + needle.length + 48).toString('latin1').replace(/[^ -~]/g, '.');
    found.push(`${what} in ${where} at ${at}: ${around}`);
  }
  return found;
}

// The files under a folder, but those that `skip` names.
export function filesUnder(folder, skip = () => false) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => !skip(file));
}

export function searchFiles(files, needles) {
  return files.flatMap((file) => search(readFileSync(file), needles, `${file} (${statSync(file).size} octets)`));
}

// Everything that a process can write to. Takes root where the process is not dumpable.
export function searchMemory(pid, needles) {
  const longest = Math.max(...needles.map(({ octets }) => octets.length));
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const found = [];
  let scanned = 0;
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const map = line.match(/^([0-9a-f]+)-([0-9a-f]+) rw/);
      if (!map) continue;
      const end = Number.parseInt(map[2], 16);
      for (let at = Number.parseInt(map[1], 16); at < end; at += chunkBytes) {
        // Chunks overlap, so that nothing hides between two of them.
        const buffer = Buffer.alloc(Math.min(chunkBytes + longest, end - at));
        let count = 0;
        try {
          count = readSync(memory, buffer, 0, buffer.length, at);
        } catch (error) {
          if (!['EIO', 'EFAULT'].includes(error.code)) throw error;
        }
        scanned += count;
        found.push(...search(buffer.subarray(0, count), needles, `${line.slice(0, 80).trim()} + ${at.toString(16)}`));
      }
    }
  } finally {
    closeSync(memory);
  }
  return { found, scanned };
}

// The process that was started with this text in its arguments.
export function processWith(text) {
  const pid = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      return words[0].endsWith('symbolond') && words.includes(text);
    } catch {
      return false;
    }
  });
  if (!pid) throw new Error(`no symbolond runs with ${text}`);
  return Number(pid);
}
