// A lab in which each Region has a symbolond of its own.
import { chmod, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Lab } from '../lib/lab.mjs';

const here = dirname(fileURLToPath(import.meta.url));

export const todays = join(
  process.env.SYMBOLON ? dirname(process.env.SYMBOLON) : join(here, '../../build/release/bin'), 'symbolond');

// Built from the history when it is not there yet; SYMBOLON_TEST_PREVIOUS names one that is.
export async function previous() {
  if (process.env.SYMBOLON_TEST_PREVIOUS) return process.env.SYMBOLON_TEST_PREVIOUS;
  // What it says about a build, or why there is none, is for whoever watches.
  const build = spawn(join(here, 'previous.sh'), { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  build.stdout.on('data', (text) => (printed += text));
  const [status] = await once(build, 'close');
  if (status !== 0) throw new Error('there is no symbolond of the previous release: see above');
  return printed.trim();
}

// Started by the lab as `PROGRAM --config DIR/regions/REGION/symbolond.toml`.
const chooser = `#!/bin/sh
exec "$(dirname "$0")/$(basename "$(dirname "$2")")" "$@"
`;

export class MixedLab {
  static async start(programs) {
    const mixed = new MixedLab();
    mixed.folder = await mkdtemp(join(tmpdir(), 'symbolon-programs-'));
    await writeFile(join(mixed.folder, 'symbolond'), chooser);
    await chmod(join(mixed.folder, 'symbolond'), 0o755);
    for (const [region, program] of Object.entries(programs)) await mixed.#choose(region, program);
    mixed.lab = await Lab.start({ flags: ['--server', join(mixed.folder, 'symbolond')] });
    return mixed;
  }

  async #choose(region, program) {
    const link = join(this.folder, region);
    await symlink(program, `${link}.new`);
    await rename(`${link}.new`, link);
  }

  // As an operator changes the program of a Region.
  async restartWith(region, program) {
    await this.lab.stop(region);
    await this.#choose(region, program);
    await this.lab.startRegion(region);
  }

  async release() {
    await this.lab?.release();
    await rm(this.folder, { recursive: true, force: true });
  }
}
