// The etcd cluster of a FarLab (far_lab.mjs): every member in a place of its own, so that a Region's way to the authority
// can be cut and its ways to the other Regions stay.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
// In network namespaces of their own.
const ports = { client: 2379, peer: 2380, health: 2381 };

export const etcdMembers = ['etcd-1', 'etcd-2', 'etcd-3'];

// As the kernel tells it.
const established = '01';

export class FarEtcd {
  #lab;

  constructor(lab) {
    this.#lab = lab;
  }

  #address(member) {
    return this.#lab.network.address(member);
  }
  #url(member, port) {
    return `https://${this.#address(member)}:${port}`;
  }
  #certificates() {
    return join(this.#lab.dir, 'certificates');
  }

  // A Region's configuration, beside `authority = "etcd"`; `settings`: further ones of [replication.etcd].
  configuration(region, settings) {
    const file = (name) => join(this.#certificates(), name);
    const endpoints = etcdMembers.map((member) => `${this.#address(member)}:${ports.client}`);
    const section = (name, values) =>
      [`[${name}]`, ...Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`), ''].join('\n');
    const tls = { ca: file('ca.crt'), certificate: file(`${region}.crt`), key: file(`${region}.key`) };
    return `\n${section('replication.etcd', { endpoints, ...settings })}\n${section('replication.etcd.tls', tls)}`;
  }
  data(member) {
    return join(this.#lab.dir, 'etcd', member);
  }
  // Answers with 200 while a majority is there.
  healthUrl(member) {
    return `http://${this.#address(member)}:${ports.health}/health`;
  }

  // How many connections to members a Region's kernel has, whether anything gets through or not.
  async connectionsFrom(region) {
    const [program, ...words] = [...this.#lab.network.enter(region), 'cat', '/proc/net/tcp', '/proc/net/tcp6'];
    const { stdout } = await run(program, words);
    const port = ports.client.toString(16).toUpperCase().padStart(4, '0');
    // sl, local address, remote address, state
    const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/));
    return rows.filter(([, , remote, state]) => remote?.endsWith(`:${port}`) && state === established).length;
  }

  // Certificates of the lab's own authority for the members, by their addresses.
  async certify() {
    const openssl = (...words) => run('openssl', words, { cwd: this.#certificates() });
    for (const member of etcdMembers) {
      const extensions = [
        `subjectAltName = IP:${this.#address(member)}`,
        'basicConstraints = critical, CA:FALSE',
        'keyUsage = critical, digitalSignature',
        'extendedKeyUsage = serverAuth, clientAuth',
      ];
      await writeFile(join(this.#certificates(), `${member}.extensions`), `${extensions.join('\n')}\n`);
      const [key, request, certificate] = ['key', 'csr', 'crt'].map((kind) => `${member}.${kind}`);
      await openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key);
      await openssl('req', '-new', '-key', key, '-subj', `/CN=${member}`, '-out', request);
      const issuer = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-extfile', `${member}.extensions`, '-days', '1'];
      await openssl('x509', '-req', '-in', request, ...issuer, '-out', certificate);
    }
  }

  // As `symbolon lab up` starts a member, but for the addresses.
  command(member) {
    const file = (name) => join(this.#certificates(), name);
    const flags = {
      name: member,
      'data-dir': join(this.data(member), 'member.etcd'),
      'listen-client-urls': this.#url(member, ports.client),
      'advertise-client-urls': this.#url(member, ports.client),
      'listen-peer-urls': this.#url(member, ports.peer),
      'initial-advertise-peer-urls': this.#url(member, ports.peer),
      'initial-cluster': etcdMembers.map((name) => `${name}=${this.#url(name, ports.peer)}`).join(),
      'listen-metrics-urls': new URL(this.healthUrl(member)).origin,
      'client-cert-auth': true,
      'trusted-ca-file': file('ca.crt'),
      'cert-file': file(`${member}.crt`),
      'key-file': file(`${member}.key`),
      'peer-client-cert-auth': true,
      'peer-trusted-ca-file': file('ca.crt'),
      'peer-cert-file': file(`${member}.crt`),
      'peer-key-file': file(`${member}.key`),
      logger: 'zap',
      'log-level': 'warn',
    };
    return ['etcd', ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)];
  }
}
