// A relay on the link between two Regions that holds both Regions' certificates, and so sees what mutual TLS protects.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:tls';

export class TappedLink {
  #server;
  #sockets = new Set();
  // What went through, in both directions.
  seen = [];

  // Stands before `to` (a Region) for those who call as `from`; `port` is that of its link.
  static async start({ certificates, from, to, port }) {
    const link = new TappedLink();
    const identity = (name) => ({
      ca: readFileSync(`${certificates}/ca.crt`), cert: readFileSync(`${certificates}/${name}.crt`),
      key: readFileSync(`${certificates}/${name}.key`),
    });
    link.#server = createServer({ ...identity(to), requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] }, (client) => {
      const server = connect({
        ...identity(from), host: '127.0.0.1', port, servername: to, checkServerIdentity: () => undefined, ALPNProtocols: ['h2'],
      });
      link.#join(client, server);
      link.#join(server, client);
    });
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get port() {
    return this.#server.address().port;
  }

  #join(source, target) {
    this.#sockets.add(source);
    source.on('data', (octets) => {
      this.seen.push(octets);
      target.write(octets);
    });
    source.on('error', () => target.destroy());
    source.on('close', () => {
      this.#sockets.delete(source);
      target.destroy();
    });
  }

  get octets() {
    return Buffer.concat(this.seen);
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
