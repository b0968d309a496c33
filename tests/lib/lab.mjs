// A real lab (symbolon lab up) on free ports, in a folder of its own, gone with the test that started it.
import { spawn, execFile } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider';
import { KMSClient } from '@aws-sdk/client-kms';
import { stopProcess } from './processes.mjs';
import { until } from './wait.mjs';

const run = promisify(execFile);
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const symbolon = process.env.SYMBOLON ?? join(root, 'build/release/bin/symbolon');
// Another program of the same build.
export const program = (name) => join(dirname(symbolon), name);
const sharedLabVariable = 'SYMBOLON_TEST_LAB';

export const account = '000000000000';
export const credentials = { accessKeyId: 'SYMBOLONLAB', secretAccessKey: 'symbolon-lab-secret' };

export class Lab {
  #process;
  #exit;
  #output = '';
  #clients = [];

  constructor(dir) {
    this.dir = dir;
  }

  // Starts a lab of its own, in a new folder. `users`: for setUsers, which may be called at any time then.
  static async start({ flags = [], users } = {}) {
    const lab = new Lab(await mkdtemp(join(tmpdir(), 'symbolon-lab-')));
    try {
      if (users) {
        // Regions read the file if it is there when they start.
        await lab.symbolon('lab', 'init', '--dir', lab.dir, '--free-ports', ...flags);
        await lab.setUsers(users);
      }
      await lab.up(flags);
    } catch (error) {
      await rm(lab.dir, { recursive: true, force: true });
      throw error;
    }
    return lab;
  }

  static sharedFlags = ['--loopback-providers'];

  // The lab that `node tests/run.mjs` started for all files, or, when a file is run by itself, one of its own.
  static async shared() {
    const dir = process.env[sharedLabVariable];
    if (!dir) return Lab.start({ flags: Lab.sharedFlags });
    const lab = new Lab(dir);
    await lab.readSettings();
    return lab;
  }

  shareWith(environment) {
    return { ...environment, [sharedLabVariable]: this.dir };
  }

  async up(flags = []) {
    // setpriv: the lab ends with this process, however this process ends.
    this.#process = spawn('setpriv', ['--pdeathsig', 'TERM', symbolon, 'lab', 'up', '--dir', this.dir, '--free-ports', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#output = '';
    let ended;
    this.#exit = new Promise((resolve) => this.#process.once('exit', (code) => resolve((ended = { code }))));
    for (const stream of [this.#process.stdout, this.#process.stderr]) stream.on('data', (text) => (this.#output += text));
    await until('the lab runs', () => {
      if (ended) return true;
      return this.#output.includes('Ctrl-C ends the lab');
    }, 90_000);
    if (ended) throw new Error(`the lab ended with status ${ended.code}:\n${this.#output}`);
    await this.readSettings();
  }

  async readSettings() {
    const text = await readFile(join(this.dir, 'lab.toml'), 'utf8');
    const value = (block, key) => block.match(new RegExp(`^${key} = "?([^"\n]*)"?$`, 'm'))?.[1];
    const [head, ...blocks] = text.split('[[regions]]\n');
    this.router = `http://127.0.0.1:${value(head, 'router_port')}`;
    this.regions = blocks.map((block) => {
      const url = (key) => `http://${value(block, 'address') ?? '127.0.0.1'}:${value(block, key)}`;
      return { name: value(block, 'name'), api: url('api_port'), operations: url('operations_port') };
    });
    [this.primary, this.secondary] = this.regions;
  }

  // An endpoint by the name of a Region or 'router'.
  endpoint(where) {
    return where === 'router' ? this.router : this.region(where).api;
  }

  // For a Region's next start: lines for its configuration's [replication].
  async configure(region, lines) {
    const file = join(this.dir, 'regions', region, 'symbolond.toml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('[replication]\n', ['[replication]', ...lines, ''].join('\n')));
  }

  // Writes the users that all Regions know: { name: { keys: [{ id, secret }], policies: [statements] } }. Regions that run
  // read them by themselves.
  async setUsers(users) {
    const blocks = [];
    for (const [name, { keys, policies = [] }] of Object.entries(users)) {
      const files = [];
      for (const Statement of policies) {
        files.push(`${name}-${files.length}.json`);
        await writeFile(join(this.dir, files.at(-1)), JSON.stringify({ Version: '2012-10-17', Statement }));
      }
      blocks.push('[[users]]', `name = "${name}"`, ...(files.length ? [`policies = ${JSON.stringify(files)}`] : []));
      for (const { id, secret } of keys) blocks.push('[[users.access_keys]]', `id = "${id}"`, `secret = "${secret}"`);
    }
    await writeFile(join(this.dir, 'users.toml.new'), blocks.join('\n') + '\n');
    await rename(join(this.dir, 'users.toml.new'), join(this.dir, 'users.toml'));
  }

  // What the Region's clock shows.
  now() {
    return new Date();
  }

  region(name) {
    return this.regions.find((region) => region.name === name);
  }

  // SDK clients. `where` is a Region's name (the first one) or 'router'; the signing Region is the first one's.
  cognito(where = this.primary.name, options = {}) {
    return this.#keep(new CognitoIdentityProviderClient(this.#clientOptions(where, options)));
  }

  kms(where = this.primary.name, options = {}) {
    return this.#keep(new KMSClient(this.#clientOptions(where, options)));
  }

  #clientOptions(where, options) {
    const region = where === 'router' ? this.primary.name : where;
    return { region, endpoint: this.endpoint(where), credentials, maxAttempts: 1, ...options };
  }

  #keep(client) {
    this.#clients.push(client);
    return client;
  }

  async symbolon(...args) {
    return (await run(symbolon, args)).stdout;
  }

  // On a terminal of this size (0: that does not know it): what is written to it. Arguments have no quotes.
  async symbolonOnTerminal({ rows, columns }, ...args) {
    const command = [symbolon, ...args].map((word) => `'${word}'`).join(' ');
    const shell = `stty rows ${rows} columns ${columns} && exec ${command}`;
    return (await run('script', ['--quiet', '--return', '--command', shell, '/dev/null'])).stdout;
  }

  // With --endpoint, as outside of a lab.
  async symbolonByApi(environment, ...args) {
    const { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY } = credentials;
    const own = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION: this.primary.name };
    return (await run(symbolon, args, { env: { ...process.env, ...own, ...environment } })).stdout;
  }

  async kill(region) {
    await this.symbolon('lab', 'kill', region, '--dir', this.dir);
  }
  // The program that watches over the others, as kill -9 on its terminal would.
  async killSupervisor() {
    this.#process.kill('SIGKILL');
    await this.#exit;
  }
  async stop(region) {
    await this.symbolon('lab', 'stop', region, '--dir', this.dir);
  }
  async #pid(region) {
    return Number(await readFile(join(this.dir, 'run', `${region}.pid`), 'utf8'));
  }
  // The Region's process stands still, though its connections stand, until it is resumed.
  async suspend(region) {
    await stopProcess(await this.#pid(region));
  }
  async resume(region) {
    process.kill(await this.#pid(region), 'SIGCONT');
  }
  async startRegion(region) {
    try {
      await this.symbolon('lab', 'start', region, '--dir', this.dir);
    } catch (error) {
      error.message += `\n${this.told}`; // with the end of its log
      throw error;
    }
  }

  // The newest messages to a destination (or a user name) in the Region's outbox, the newest last.
  async outbox(to, region = this.primary.name) {
    const response = await fetch(`${this.region(region).operations}/outbox?username=${encodeURIComponent(to)}`);
    return (await response.json()).messages;
  }

  async metrics(region = this.primary.name) {
    return (await fetch(`${this.region(region).operations}/metrics`)).text();
  }

  // What the lab has told since it ran: every program that ended, and the end of the log of one that failed.
  get told() {
    return this.#output.split('Ctrl-C ends the lab; the data stays.\n')[1] ?? this.#output;
  }

  // Ends what this object started; a shared lab stays. The folder is kept when the lab is to be started again, and for
  // people who set SYMBOLON_TEST_KEEP.
  async release({ keepFolder = false } = {}) {
    for (const client of this.#clients.splice(0)) client.destroy();
    if (!this.#process) return;
    this.#process.kill('SIGTERM');
    await this.#exit;
    this.#process = undefined;
    if (!keepFolder && !process.env.SYMBOLON_TEST_KEEP) await rm(this.dir, { recursive: true, force: true });
  }
}
