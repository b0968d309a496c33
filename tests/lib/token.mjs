// A token of SoftHSM, as nodes of a lab use it.
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const module = '/usr/lib/softhsm/libsofthsm2.so';
const label = 'bank';
export const pin = 'pin-4711-of-the-token';

// A token of SoftHSM that can be taken out and put back.
export class Token {
  static async make() {
    const token = new Token();
    token.folder = await mkdtemp(join(tmpdir(), 'symbolon-token-'));
    token.tokens = join(token.folder, 'tokens');
    await mkdir(token.tokens);
    const configuration = join(token.folder, 'softhsm2.conf');
    await writeFile(configuration, `directories.tokendir = ${token.tokens}\nobjectstore.backend = file\n`);
    process.env.SOFTHSM2_CONF = configuration; // The lab's nodes inherit it.
    token.pinFile = join(token.folder, 'pin');
    await writeFile(token.pinFile, `${pin}\n`);
    await chmod(token.pinFile, 0o600);
    await run('softhsm2-util', ['--init-token', '--free', '--label', label, '--pin', pin, '--so-pin', 'so-0815']);
    return token;
  }

  // As docs/providers.md says.
  async makeKey(name) {
    await run('pkcs11-tool', [
      '--module', module, '--token-label', label, '--login', '--pin', pin,
      '--keygen', '--key-type', 'AES:32', '--sensitive', '--label', name,
    ]);
  }

  async takeOut() {
    await rename(this.tokens, `${this.tokens}-away`);
    await mkdir(this.tokens);
  }
  async putBack() {
    await rm(this.tokens, { recursive: true });
    await rename(`${this.tokens}-away`, this.tokens);
  }

  async release() {
    await rm(this.folder, { recursive: true, force: true });
  }

  get configuration() {
    return `\n[keys.pkcs11]\nmodule = "${module}"\ntoken_label = "${label}"\npin_file = "${this.pinFile}"\n`;
  }
}
