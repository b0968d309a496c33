// A real HAProxy with a configuration of `symbolon router-config`, gone with the test.
import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from './wait.mjs';

const program = '/usr/sbin/haproxy';

export class HaProxy {
  #process;
  #socket;

  // `enter`: the words that start a program elsewhere (network.mjs).
  static async start(folder, url, configuration, { enter = [] } = {}) {
    const router = new HaProxy();
    router.url = url;
    router.#socket = join(folder, 'haproxy.sock');
    const file = join(folder, 'own-haproxy.cfg');
    await writeFile(file, configuration.replace('global\n', `global\n    stats socket ${router.#socket}\n`));
    await promisify(execFile)(program, ['-c', '-q', '-f', file]);
    const [command, ...flags] = ['setpriv', '--pdeathsig', 'KILL', ...enter, program, '-db', '-f', file];
    router.#process = spawn(command, flags, { stdio: 'ignore' });
    await until('the router runs', async () => (await fetch(`${url}/_router/alive`)).ok);
    return router;
  }

  // What HAProxy says of a backend's server: { status, chkdown, ... }, as "show stat" has them.
  async server(backend, name = backend) {
    const text = await new Promise((resolve, reject) => {
      let told = '';
      const socket = connect(this.#socket, () => socket.end('show stat\n'));
      socket.on('data', (data) => (told += data)).once('end', () => resolve(told)).once('error', reject);
    });
    const [head, ...lines] = text.trim().split('\n').map((line) => line.replace(/^# /, '').split(','));
    const line = lines.find(([proxy, server]) => proxy === backend && server === name);
    return Object.fromEntries(head.map((key, index) => [key, line[index]]));
  }

  // The status of an answer, over a connection of its own.
  get(path = '/', options = {}) {
    return new Promise((resolve, reject) => {
      const sent = request(`${this.url}${path}`, { agent: false, ...options }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode));
      });
      sent.once('error', reject);
      sent.end();
    });
  }

  async stop() {
    if (!this.#process) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
    this.#process = undefined;
  }
}
