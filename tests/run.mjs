// node tests/run.mjs FOLDER [FILE ...]: runs the test files of a folder of tests/. Those of clients/ share one lab.
// Those of faults/ run in namespaces of their own, for networks and mounts, and those of leaks/ read other processes'
// memory, which takes root.
// Writes build/test/FOLDER.tap, which ./test counts, and shows the readable form.
import { spawn } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Lab } from './lib/lab.mjs';
import { apart } from './lib/network.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [folder, ...named] = process.argv.slice(2);
const files = named.length > 0 ? named : (await readdir(join(here, folder))).filter((name) => name.endsWith('.test.mjs')).sort();
const results = join(here, '../build/test');
await mkdir(results, { recursive: true });

// The SDK warns of Node versions that it will stop to support.
const plain = { ...process.env, NODE_OPTIONS: '--no-warnings' };
const sharing = folder === 'clients';
const lab = sharing ? await Lab.start({ flags: Lab.sharedFlags }) : undefined;
const asRoot = folder === 'leaks' && process.getuid() !== 0 ? ['sudo', '--preserve-env'] : [];
const { prefix, environment } = folder === 'faults' ? await apart(plain) : { prefix: asRoot, environment: plain };
const [program, ...flags] = [...prefix, process.execPath];
const tests = spawn(
  program,
  [
    ...flags,
    '--test',
    `--test-concurrency=${sharing ? 2 : 1}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=tap',
    `--test-reporter-destination=${join(results, `${folder}.tap`)}`,
    ...files.map((file) => join(here, folder, file)),
  ],
  { stdio: 'inherit', env: lab ? lab.shareWith(environment) : environment },
);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => tests.kill(signal));
const status = await new Promise((resolve) => tests.once('exit', (code) => resolve(code ?? 1)));
if (lab?.told) console.log(`What the lab told meanwhile:\n${lab.told}`);
await lab?.release();
process.exitCode = status;
