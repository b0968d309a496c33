// The AWS KMS API as its own SDK sees it, operation by operation. Two Regions: ReplicateKey, rotation and
// UpdatePrimaryRegion.
import assert from 'node:assert/strict';
import { constants, createPublicKey, publicEncrypt, randomBytes, createCipheriv } from 'node:crypto';
import { after, test } from 'node:test';
import {
  CancelKeyDeletionCommand, CreateAliasCommand, CreateKeyCommand, DecryptCommand, DeleteAliasCommand,
  DeleteImportedKeyMaterialCommand, DescribeKeyCommand, DisableKeyCommand, DisableKeyRotationCommand, EnableKeyCommand,
  EnableKeyRotationCommand, EncryptCommand, GenerateDataKeyCommand, GenerateDataKeyWithoutPlaintextCommand,
  GenerateRandomCommand, GetKeyRotationStatusCommand, GetParametersForImportCommand, ImportKeyMaterialCommand,
  ListAliasesCommand, ListKeyRotationsCommand, ListResourceTagsCommand, ReEncryptCommand, ReplicateKeyCommand,
  RotateKeyOnDemandCommand, ScheduleKeyDeletionCommand, TagResourceCommand, UntagResourceCommand, UpdateAliasCommand,
  UpdateKeyDescriptionCommand, UpdatePrimaryRegionCommand,
} from '@aws-sdk/client-kms';
import { fails } from '../lib/expect.mjs';
import { account, Lab } from '../lib/lab.mjs';
import { until } from '../lib/wait.mjs';

const lab = await Lab.shared();
const here = lab.kms();
const there = lab.kms(lab.secondary.name);
after(() => lab.release());

const create = async (settings = {}) => (await here.send(new CreateKeyCommand(settings))).KeyMetadata;
const describe = async (KeyId, where = here) => (await where.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata;
const encrypt = (KeyId, text, EncryptionContext, where = here) =>
  where.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from(text), EncryptionContext }));
const decrypt = (CiphertextBlob, EncryptionContext, more = {}, where = here) =>
  where.send(new DecryptCommand({ CiphertextBlob, EncryptionContext, ...more }));
const textOf = ({ Plaintext }) => Buffer.from(Plaintext).toString();
const uniqueAlias = () => `alias/test/${randomBytes(6).toString('hex')}`;

test('what a key encrypts, it decrypts, named in every way and with its context only', async () => {
  const key = await create();
  const AliasName = uniqueAlias();
  await here.send(new CreateAliasCommand({ AliasName, TargetKeyId: key.KeyId }));
  const context = { purpose: 'test', 'ä': 'ö' };
  for (const KeyId of [key.KeyId, key.Arn, AliasName, `arn:aws:kms:${lab.primary.name}:${account}:${AliasName}`]) {
    const { CiphertextBlob, KeyId: used } = await encrypt(KeyId, 'secret', context);
    assert.equal(used, key.Arn);
    const opened = await decrypt(CiphertextBlob, context);
    assert.equal(textOf(opened), 'secret');
    assert.equal(opened.KeyId, key.Arn);
    assert.equal(opened.KeyMaterialId, key.CurrentKeyMaterialId);
    assert.equal(textOf(await decrypt(CiphertextBlob, context, { KeyId })), 'secret');
    await fails(decrypt(CiphertextBlob), 'InvalidCiphertextException');
    await fails(decrypt(CiphertextBlob, { ...context, purpose: 'other' }), 'InvalidCiphertextException');
    const altered = Buffer.from(CiphertextBlob);
    altered[altered.length - 1] ^= 1;
    await fails(decrypt(altered, context), 'InvalidCiphertextException');
  }
  const other = await create();
  const { CiphertextBlob } = await encrypt(key.KeyId, 'x');
  await fails(decrypt(CiphertextBlob, undefined, { KeyId: other.KeyId }), 'IncorrectKeyException');
  await fails(decrypt(Buffer.from('nonsense')), 'InvalidCiphertextException');
  await fails(encrypt(key.KeyId, 'x', { a: 'x'.repeat(8192) }), 'ValidationException');
  await fails(encrypt(key.KeyId, 'x'.repeat(4097)), 'ValidationException');
  await fails(encrypt('alias/none', 'x'), 'NotFoundException');
});

test('data keys and random octets', async () => {
  const { KeyId } = await create();
  const made = await here.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
  assert.equal(made.Plaintext.length, 32);
  assert.deepEqual((await decrypt(made.CiphertextBlob)).Plaintext, made.Plaintext);
  const hidden = await here.send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId, NumberOfBytes: 100 }));
  assert.equal(hidden.Plaintext, undefined);
  assert.equal((await decrypt(hidden.CiphertextBlob)).Plaintext.length, 100);
  await fails(here.send(new GenerateDataKeyCommand({ KeyId })), 'ValidationException');
  await fails(here.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', NumberOfBytes: 32 })), 'ValidationException');
  assert.equal((await here.send(new GenerateRandomCommand({ NumberOfBytes: 99 }))).Plaintext.length, 99);
  const Recipient = { KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256', AttestationDocument: Buffer.from('x') };
  await fails(here.send(new GenerateRandomCommand({ NumberOfBytes: 1, Recipient })), 'UnsupportedOperationException');
});

test('ReEncrypt moves a ciphertext to another key', async () => {
  const from = await create();
  const to = await create();
  const { CiphertextBlob } = await encrypt(from.KeyId, 'moved', { a: '1' });
  const moved = await here.send(new ReEncryptCommand({
    CiphertextBlob, SourceEncryptionContext: { a: '1' }, DestinationKeyId: to.Arn, DestinationEncryptionContext: { b: '2' },
  }));
  assert.equal(moved.SourceKeyId, from.Arn);
  assert.equal(moved.KeyId, to.Arn);
  const opened = await decrypt(moved.CiphertextBlob, { b: '2' });
  assert.equal(textOf(opened), 'moved');
  assert.equal(opened.KeyId, to.Arn);
});

test('a dry run checks and does nothing', async () => {
  const { KeyId } = await create();
  await fails(here.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x'), DryRun: true })), 'DryRunOperationException');
  await here.send(new DisableKeyCommand({ KeyId }));
  await fails(here.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('x'), DryRun: true })), 'DisabledException');
});

test('aliases: one name, one key, no reserved names', async () => {
  const [one, two] = [await create(), await create()];
  const AliasName = uniqueAlias();
  await here.send(new CreateAliasCommand({ AliasName, TargetKeyId: one.KeyId }));
  await fails(here.send(new CreateAliasCommand({ AliasName, TargetKeyId: two.KeyId })), 'AlreadyExistsException');
  await fails(here.send(new CreateAliasCommand({ AliasName: 'alias/aws/x', TargetKeyId: one.KeyId })), 'InvalidAliasNameException');
  await fails(here.send(new CreateAliasCommand({ AliasName: 'x', TargetKeyId: one.KeyId })), 'ValidationException');
  const before = await encrypt(AliasName, 'x');
  await here.send(new UpdateAliasCommand({ AliasName, TargetKeyId: two.Arn }));
  assert.equal((await describe(AliasName)).Arn, two.Arn);
  assert.equal(textOf(await decrypt(before.CiphertextBlob)), 'x');
  const { Aliases } = await here.send(new ListAliasesCommand({ KeyId: two.KeyId }));
  assert.deepEqual(Aliases.map((alias) => alias.AliasName), [AliasName]);
  await fails(here.send(new EnableKeyCommand({ KeyId: AliasName })), 'NotFoundException');
  await here.send(new DeleteAliasCommand({ AliasName }));
  await fails(describe(AliasName), 'NotFoundException');
});

test('tags and description', async () => {
  const { KeyId } = await create({ Tags: [{ TagKey: 'a', TagValue: '1' }] });
  await here.send(new TagResourceCommand({ KeyId, Tags: [{ TagKey: 'b', TagValue: '2' }] }));
  await here.send(new UntagResourceCommand({ KeyId, TagKeys: ['a'] }));
  assert.deepEqual((await here.send(new ListResourceTagsCommand({ KeyId }))).Tags, [{ TagKey: 'b', TagValue: '2' }]);
  await fails(here.send(new TagResourceCommand({ KeyId, Tags: [{ TagKey: 'aws:x', TagValue: '' }] })), 'TagException');
  await here.send(new UpdateKeyDescriptionCommand({ KeyId, Description: 'new' }));
  assert.equal((await describe(KeyId)).Description, 'new');
});

test('deletion is scheduled within bounds, refuses use, and can be cancelled', async () => {
  const { KeyId } = await create();
  const { CiphertextBlob } = await encrypt(KeyId, 'x');
  await fails(here.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 6 })), 'ValidationException');
  await fails(here.send(new CancelKeyDeletionCommand({ KeyId })), 'KMSInvalidStateException');
  const scheduled = await here.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
  const days = (scheduled.DeletionDate - Date.now()) / 86_400_000;
  assert.ok(days > 6.9 && days < 7.1);
  assert.equal((await describe(KeyId)).KeyState, 'PendingDeletion');
  await fails(decrypt(CiphertextBlob), 'KMSInvalidStateException', /is pending deletion\.$/);
  await fails(here.send(new EnableKeyCommand({ KeyId })), 'KMSInvalidStateException');
  await here.send(new CancelKeyDeletionCommand({ KeyId }));
  assert.equal((await describe(KeyId)).KeyState, 'Disabled');
  await fails(decrypt(CiphertextBlob), 'DisabledException');
  await here.send(new EnableKeyCommand({ KeyId }));
  assert.equal(textOf(await decrypt(CiphertextBlob)), 'x');
});

test('rotation: period, on demand, list; old ciphertexts open', async () => {
  const { KeyId, CurrentKeyMaterialId } = await create();
  await fails(here.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 89 })), 'ValidationException');
  await here.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 90 }));
  const status = await here.send(new GetKeyRotationStatusCommand({ KeyId }));
  assert.equal(status.KeyRotationEnabled, true);
  assert.equal(status.RotationPeriodInDays, 90);
  assert.ok(status.NextRotationDate > new Date());
  const { CiphertextBlob } = await encrypt(KeyId, 'old');
  await here.send(new RotateKeyOnDemandCommand({ KeyId }));
  const opened = await decrypt(CiphertextBlob);
  assert.equal(textOf(opened), 'old');
  assert.equal(opened.KeyMaterialId, CurrentKeyMaterialId);
  const rotated = await describe(KeyId);
  assert.notEqual(rotated.CurrentKeyMaterialId, CurrentKeyMaterialId);
  const { Rotations } = await here.send(new ListKeyRotationsCommand({ KeyId }));
  assert.equal(Rotations.length, 1);
  assert.equal(Rotations[0].RotationType, 'ON_DEMAND');
  assert.equal(Rotations[0].KeyMaterialId, rotated.CurrentKeyMaterialId);
  await here.send(new DisableKeyRotationCommand({ KeyId }));
  assert.equal((await here.send(new GetKeyRotationStatusCommand({ KeyId }))).KeyRotationEnabled, false);
});

// AES-KWP (RFC 5649), as `openssl enc -id-aes256-wrap-pad` does it.
const keyWrap = (key, material) => {
  const cipher = createCipheriv('id-aes256-wrap-pad', key, Buffer.from('A65959A6', 'hex'));
  return Buffer.concat([cipher.update(material), cipher.final()]);
};

for (const [WrappingAlgorithm, WrappingKeySpec] of [['RSAES_OAEP_SHA_256', 'RSA_4096'], ['RSA_AES_KEY_WRAP_SHA_256', 'RSA_2048']]) {
  test(`material is imported by ${WrappingAlgorithm} under ${WrappingKeySpec}, and taken away again`, async () => {
    const { KeyId, KeyState } = await create({ Origin: 'EXTERNAL' });
    assert.equal(KeyState, 'PendingImport');
    const { PublicKey, ImportToken, ParametersValidTo } = await here.send(
      new GetParametersForImportCommand({ KeyId, WrappingAlgorithm, WrappingKeySpec }));
    assert.ok(ParametersValidTo > new Date());
    const publicKey = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
    const seal = (octets) => publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, octets);
    const wrap = (material) => {
      if (WrappingAlgorithm === 'RSAES_OAEP_SHA_256') return seal(material);
      const key = randomBytes(32);
      return Buffer.concat([seal(key), keyWrap(key, material)]);
    };
    const material = randomBytes(32);
    const importing = (EncryptedKeyMaterial, more = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }) =>
      here.send(new ImportKeyMaterialCommand({ KeyId, ImportToken, EncryptedKeyMaterial, ...more }));
    await fails(importing(wrap(randomBytes(16))), 'InvalidCiphertextException');
    const { KeyMaterialId } = await importing(wrap(material));
    assert.equal((await describe(KeyId)).KeyState, 'Enabled');
    const { CiphertextBlob } = await encrypt(KeyId, 'x');
    assert.equal((await here.send(new DeleteImportedKeyMaterialCommand({ KeyId }))).KeyMaterialId, KeyMaterialId);
    await fails(decrypt(CiphertextBlob), 'KMSInvalidStateException', /is pending import\.$/);
    await fails(importing(wrap(randomBytes(32))), 'IncorrectKeyMaterialException');
    await fails(here.send(new ImportKeyMaterialCommand({
      KeyId, ImportToken: Buffer.from('x'), EncryptedKeyMaterial: wrap(material), ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    })), 'InvalidImportTokenException');
    // This time it expires, by the server's own clock.
    await importing(wrap(material), { ValidTo: new Date(Date.now() + 4000) });
    assert.equal(textOf(await decrypt(CiphertextBlob)), 'x');
    await until('the material has expired', async () => (await describe(KeyId)).KeyState === 'PendingImport');
    await fails(decrypt(CiphertextBlob), 'KMSInvalidStateException');
  });
}

test('a multi-Region key: replica, rotation in both Regions, another primary', async () => {
  const key = await create({ MultiRegion: true });
  const { KeyId } = key;
  const before = await encrypt(KeyId, 'before');
  const { ReplicaTags } = await here.send(new ReplicateKeyCommand({
    KeyId, ReplicaRegion: lab.secondary.name, Description: 'there', Tags: [{ TagKey: 'a', TagValue: 'b' }],
  }));
  assert.deepEqual(ReplicaTags, [{ TagKey: 'a', TagValue: 'b' }]);
  assert.equal((await describe(KeyId, there)).Description, 'there');
  assert.equal(textOf(await decrypt(before.CiphertextBlob, undefined, {}, there)), 'before');

  await fails(there.send(new RotateKeyOnDemandCommand({ KeyId })), 'UnsupportedOperationException');
  await here.send(new RotateKeyOnDemandCommand({ KeyId }));
  const rotated = await until('the key is rotated', async () => {
    const shown = await describe(KeyId);
    return shown.CurrentKeyMaterialId !== key.CurrentKeyMaterialId && shown;
  });
  await until('the replica uses the new material', async () =>
    (await describe(KeyId, there)).CurrentKeyMaterialId === rotated.CurrentKeyMaterialId);
  const after = await encrypt(KeyId, 'after', undefined, there);
  assert.equal(textOf(await decrypt(after.CiphertextBlob)), 'after');
  assert.equal(textOf(await decrypt(before.CiphertextBlob, undefined, {}, there)), 'before');

  await here.send(new UpdatePrimaryRegionCommand({ KeyId, PrimaryRegion: lab.secondary.name }));
  for (const [where, type] of [[here, 'REPLICA'], [there, 'PRIMARY']]) {
    await until('the Regions agree', async () => {
      const { MultiRegionConfiguration: shown, KeyState } = await describe(KeyId, where);
      return KeyState === 'Enabled' && shown.MultiRegionKeyType === type && shown.PrimaryKey.Region === lab.secondary.name;
    });
  }
  await there.send(new RotateKeyOnDemandCommand({ KeyId }));
  await until('rotations go the other way now', async () =>
    (await describe(KeyId)).CurrentKeyMaterialId !== rotated.CurrentKeyMaterialId);

  // A primary waits for its replicas.
  const scheduled = await there.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
  assert.equal(scheduled.KeyState, 'PendingReplicaDeletion');
  assert.equal(scheduled.DeletionDate, undefined);
  assert.equal((await describe(KeyId, there)).PendingDeletionWindowInDays, 7);
  assert.equal((await describe(KeyId)).KeyState, 'Enabled');
});
