// Regions in network namespaces of their own, far from each other (network.mjs), each a symbolond that the test starts,
// stops and kills by itself, with a disk that can be filled and a clock that can be set; with an etcd cluster if one decides
// who is primary. No router.
import { execFile, spawn } from 'node:child_process';
import { appendFile, cp, mkdir, mkdtemp, open, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { FarEtcd, etcdMembers } from './far_etcd.mjs';
import { Lab, symbolon } from './lab.mjs';
import { Network } from './network.mjs';
import { until } from './wait.mjs';

const run = promisify(execFile);
const symbolond = join(dirname(symbolon), 'symbolond');
const fakeTime = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`;
// The store keeps a headroom of 256 MiB.
const diskMiB = 512;

const mountDisk = (folder) => run('mount', ['-t', 'tmpfs', '-o', `size=${diskMiB}m`, 'symbolon-test', folder]);

export class FarLab extends Lab {
  #processes = new Map();
  #clockOffsets = new Map();
  #full = new Set(); // disks
  etcd; // a FarEtcd, if that is the authority

  // `settings`: lines for the configurations' [replication]. `places`: further ends of the network. `etcd`: settings of
  // [replication.etcd], if an etcd cluster decides who is primary.
  static async start(names, { path, settings = [], places = [], etcd } = {}) {
    const lab = new FarLab(await mkdtemp(join(tmpdir(), 'symbolon-far-lab-')));
    try {
      await lab.#start(names, path, settings, places, etcd);
    } catch (error) {
      await lab.release();
      throw error;
    }
    return lab;
  }

  async #start(names, path, settings, places, etcd) {
    this.network = await Network.start([...names, ...(etcd ? etcdMembers : []), ...places], path);
    const addresses = names.map((name) => this.network.address(name));
    await this.symbolon('lab', 'init', '--dir', this.dir, '--regions', names.join(), '--addresses', addresses.join());
    await this.readSettings();
    if (etcd) await this.#startEtcd(etcd);
    for (const { name } of this.regions) {
      await this.configure(name, settings);
      await writeFile(this.#clockFile(name), '+0\n');
      await mkdir(this.#data(name));
      await mountDisk(this.#data(name));
    }
    await Promise.all(names.map((name) => this.startRegion(name)));
    await this.untilConnected();
  }

  async #startEtcd(settings) {
    this.etcd = new FarEtcd(this);
    await this.etcd.certify();
    for (const { name } of this.regions) {
      await this.configure(name, ['authority = "etcd"']);
      await appendFile(this.#configuration(name), this.etcd.configuration(name, settings));
    }
    for (const member of etcdMembers) {
      const data = this.etcd.data(member);
      await mkdir(data, { recursive: true });
      await mountDisk(data);
    }
    // All at once: none is ready before a majority is there.
    await Promise.all(etcdMembers.map((member) => this.startRegion(member)));
  }

  // Until every Region has a connection to each of the others.
  async untilConnected() {
    await until('the Regions are connected', async () => {
      const texts = await Promise.all(this.regions.map(({ name }) => this.metrics(name)));
      return texts.every((text) => text.match(/^symbolon_replication_connected{.*} 1$/gm)?.length === this.regions.length - 1);
    }, 60_000);
  }

  #folder(region) {
    return join(this.dir, 'regions', region);
  }
  #data(region) {
    return join(this.#folder(region), 'data');
  }
  #configuration(region) {
    return join(this.#folder(region), 'symbolond.toml');
  }
  #clockFile(region) {
    return join(this.#folder(region), 'clock');
  }

  // A Region, or a member of etcd.
  async startRegion(name) {
    if (this.etcd && etcdMembers.includes(name)) {
      return this.#startProgram(name, this.etcd.command(name), process.env, this.etcd.healthUrl(name));
    }
    // The clock is read anew every second; time since boot, by which leases and lags count, stays true.
    const environment = {
      ...process.env,
      LD_PRELOAD: fakeTime,
      FAKETIME_TIMESTAMP_FILE: this.#clockFile(name),
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    const command = [symbolond, '--config', this.#configuration(name)];
    await this.#startProgram(name, command, environment, `${this.region(name).operations}/health/ready`);
  }

  // In the place of that name, until `readyUrl` answers with 200.
  async #startProgram(name, command, environment, readyUrl) {
    if (this.isUp(name)) return;
    const log = await open(join(this.dir, 'logs', `${name}.log`), 'a');
    // setpriv: it ends with this process, however this process ends.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...this.network.enter(name), ...command], {
      stdio: ['ignore', log.fd, log.fd],
      env: environment,
    });
    await log.close();
    const started = { child, exit: new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal }))) };
    child.once('exit', () => this.#processes.delete(name));
    this.#processes.set(name, started);
    await until(`${name} serves`, async () => {
      if (this.#processes.get(name) !== started) return true;
      return (await fetch(readyUrl)).status === 200;
    }, 60_000);
    if (!this.isUp(name)) throw new Error(`${name} ended: ${await this.log(name)}`);
  }

  isUp(region) {
    return this.#processes.has(region);
  }
  isSuspended(region) {
    return this.#processes.get(region)?.suspended ?? false;
  }
  isDiskFull(region) {
    return this.#full.has(region);
  }

  // SIGSTOP and SIGCONT.
  suspend(region) {
    this.#signal(region, 'SIGSTOP', true);
  }
  resume(region) {
    if (this.isUp(region)) this.#signal(region, 'SIGCONT', false);
  }
  #signal(region, name, suspended) {
    const running = this.#processes.get(region);
    process.kill(running.child.pid, name);
    running.suspended = suspended;
  }
  async #end(region, signal) {
    const running = this.#processes.get(region);
    if (!running) return;
    running.child.kill(signal);
    await running.exit;
  }
  async kill(region) {
    await this.#end(region, 'SIGKILL');
  }
  async stop(region) {
    await this.#end(region, 'SIGTERM');
  }

  // Sets a Region's wall clock so many seconds off, whether it runs or not; it takes note within a second.
  async setClock(region, seconds) {
    this.#clockOffsets.set(region, seconds);
    await writeFile(this.#clockFile(region), `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }

  now(region) {
    return new Date(Date.now() + 1_000 * (this.#clockOffsets.get(region) ?? 0));
  }

  // Leaves nothing free on a Region's disk.
  async fillDisk(region) {
    this.#full.add(region);
    const { bavail, bsize } = await statfs(this.#data(region));
    const filler = join(this.#data(region), 'filler');
    await run('fallocate', ['--length', String(bavail * bsize), filler]);
    // And what came free meanwhile.
    const file = await open(filler, 'a');
    try {
      for (;;) await file.write(Buffer.alloc(bsize, 1));
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error;
    } finally {
      await file.close();
    }
  }
  async freeDisk(region) {
    await rm(join(this.#data(region), 'filler'));
    this.#full.delete(region);
  }
  // As after the loss of its disk, with a backup of the keys or without: the Region must be down.
  async loseDisk(region, { keysBackedUp = false } = {}) {
    const keys = join(this.#data(region), 'keys');
    const backup = join(this.#folder(region), 'keys-backup');
    if (keysBackedUp) await cp(keys, backup, { recursive: true });
    await run('umount', [this.#data(region)]);
    await mountDisk(this.#data(region));
    if (keysBackedUp) {
      await cp(backup, keys, { recursive: true });
      // The trail that it knows was lost with the disk (docs/replication.md).
      await rm(join(keys, 'audit.checkpoint'));
    }
    this.#full.delete(region);
  }
  async log(region) {
    return readFile(join(this.dir, 'logs', `${region}.log`), 'utf8');
  }

  async release() {
    await super.release(); // the clients
    await Promise.all([...this.#processes.keys()].map((region) => this.kill(region)));
    await this.network?.end();
    // The disks are mounts of the test's own namespace and end with it; what is under them is removed now.
    const disks = [
      ...(this.regions ?? []).map(({ name }) => this.#data(name)),
      ...(this.etcd ? etcdMembers : []).map((member) => this.etcd.data(member)),
    ];
    for (const disk of disks) await run('umount', [disk]).catch(() => {});
    if (!process.env.SYMBOLON_TEST_KEEP) await rm(this.dir, { recursive: true, force: true });
  }
}
