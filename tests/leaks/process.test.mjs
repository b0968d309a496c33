// No other process of the same user may look into a symbolond: not while it serves, and not while it only changes how the
// root key is protected. Takes root, to be another user.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, copyFile, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { program } from '../lib/lab.mjs';
import { until } from '../lib/wait.mjs';

const run = promisify(execFile);
const user = 65534;
const asUser = ['--reuid', `${user}`, '--regid', `${user}`, '--clear-groups', '--pdeathsig', 'KILL'];

let folder, symbolond;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'symbolon-hidden-'));
  await chown(folder, user, user);
  // Where the build is, that user need not get.
  symbolond = join(folder, 'symbolond');
  await copyFile(program('symbolond'), symbolond);
  await chmod(symbolond, 0o755);
});
after(() => rm(folder, { recursive: true, force: true }));

const start = (program, ...args) => spawn('setpriv', [...asUser, program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
const end = async (child) => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
};
// What its own user reads of its memory's neighbours: the environment takes the same right as the memory itself.
const look = (pid) => run('setpriv', [...asUser, 'cat', `/proc/${pid}/environ`], { encoding: 'buffer' });

async function assertHidden({ pid }) {
  assert.equal((await stat(`/proc/${pid}/environ`)).uid, 0, 'who is not dumpable belongs to root');
  await assert.rejects(look(pid), /Permission denied/);
}

test('a process that hides nothing can be looked into', async () => {
  const child = start('sleep', '600');
  try {
    await until('it runs', async () => (await stat(`/proc/${child.pid}`)).uid === user);
    assert.ok((await look(child.pid)).stdout.length > 0);
  } finally {
    await end(child);
  }
});

for (const flags of [[], ['--protect-root-key'], ['--restored'], ['--check']]) {
  test(`before the settings are read, it is hidden: ${flags.join() || 'to serve'}`, async () => {
    const settings = join(folder, `settings${flags.join()}`);
    await run('mkfifo', ['-m', '600', settings]);
    await chown(settings, user, user);
    const child = start(symbolond, '--config', settings, ...flags);
    const ended = once(child, 'exit');
    try {
      // Waits until it reads.
      const writing = await Promise.race([open(settings, 'w'), ended]);
      await assertHidden(child);
      await writing.close();
      await ended;
    } finally {
      await end(child);
    }
  });
}

test('a node that serves is hidden', async () => {
  const settings = join(folder, 'symbolond.toml');
  await writeFile(settings, `region = "eu-central-1"\naccount = "000000000000"\ndata_dir = "data"\nneutral_url = "http://127.0.0.1:1"
[api]\nlisten = "127.0.0.1:0"\npublic_url = "http://127.0.0.1:1"\n[operations]\nlisten = "127.0.0.1:0"
[keys]\nprovider = "local"\nroot_key_file = "root.key"
[[access_keys]]\nid = "SOMEBODY"\nsecret = "secret-of-somebody"
[[regions]]\nname = "eu-central-1"\npublic_url = "http://127.0.0.1:1"\n`, { mode: 0o600 });
  await chown(settings, user, user);
  const child = start(symbolond, '--config', settings);
  let told = '';
  child.stderr.on('data', (text) => (told += text));
  try {
    await until('it serves', () => {
      assert.equal(child.exitCode, null, told);
      return told.includes('API on 127.0.0.1:');
    });
    await assertHidden(child);
  } finally {
    await end(child);
  }
});
