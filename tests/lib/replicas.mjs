// Pools that live in both Regions of a lab.
import {
  CreateUserPoolReplicaCommand,
  ListUserPoolReplicasCommand,
  UpdateUserPoolReplicaCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { CreateKeyCommand, ReplicateKeyCommand } from '@aws-sdk/client-kms';
import { createPool } from './pools.mjs';
import { call, prefixes } from './raw.mjs';
import { until } from './wait.mjs';

// The ARN of a multi-Region key that all Regions hold, as the first Region names it.
export async function multiRegionKey(lab) {
  const { KeyMetadata } = await lab.kms().send(new CreateKeyCommand({ MultiRegion: true, Description: 'a pool in many Regions' }));
  for (const { name } of lab.regions.slice(1)) await replicateKey(lab, KeyMetadata.KeyId, name);
  return KeyMetadata.Arn;
}

export async function replicateKey(lab, KeyId, ReplicaRegion) {
  // Regions that were just started may not have met: an error that asks to try again.
  await lab.kms(lab.primary.name, { maxAttempts: 8 }).send(new ReplicateKeyCommand({ KeyId, ReplicaRegion }));
}

export async function replicaStatus(cognito, UserPoolId, region) {
  const { UserPoolReplicas } = await cognito.send(new ListUserPoolReplicasCommand({ UserPoolId }));
  return UserPoolReplicas.find((replica) => replica.RegionName === region)?.Status;
}

export async function untilReplica(cognito, UserPoolId, region, status) {
  await until(`the replica in ${region} is ${status}`, async () => (await replicaStatus(cognito, UserPoolId, region)) === status);
}

// A pool whose replicas in the second Region, or in those that are named, are ACTIVE.
export async function createReplicatedPool(lab, settings = {}, { replicas = [lab.secondary.name] } = {}) {
  // A node that has no spare RSA key yet, on a machine that is busy, asks to try again.
  const cognito = lab.cognito(lab.primary.name, { maxAttempts: 8 });
  const KmsKeyArn = await multiRegionKey(lab);
  const pool = await createPool(cognito, {
    KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn },
    ...settings,
  });
  for (const region of replicas) await addReplica(lab, pool.Id, region, { cognito });
  return pool;
}

// One of Symbolon's own operations.
export async function ask(lab, region, operation, input) {
  const answer = await call(lab.endpoint(region), operation, input, { prefix: prefixes.symbolon, date: lab.now(region) });
  if (answer.status !== 200) throw Object.assign(new Error(`${answer.error}: ${answer.message}`), { name: answer.error });
  return answer.body;
}

// Makes the pool's replica in `region` (a name) and activates it.
export async function addReplica(lab, UserPoolId, RegionName, { cognito = lab.cognito() } = {}) {
  await cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId, RegionName }));
  await untilReplica(cognito, UserPoolId, RegionName, 'INACTIVE');
  await cognito.send(new UpdateUserPoolReplicaCommand({ UserPoolId, RegionName, Status: 'ACTIVE' }));
  await untilReplica(cognito, UserPoolId, RegionName, 'ACTIVE');
}

// Until the Regions (all of the lab) are at the same position of the pool, one of them its primary; its name.
export async function untilEqual(lab, UserPoolId, { regions = lab.regions.map(({ name }) => name), deadlineMs = 60_000 } = {}) {
  return until('the Regions are equal', async () => {
    const told = await Promise.all(regions.map((region) => describeReplication(lab, region, UserPoolId)));
    const [first] = told;
    const equal = told.every(({ Epoch, Sequence, PrimaryRegion }) =>
      Epoch === first.Epoch && Sequence === first.Sequence && PrimaryRegion === first.PrimaryRegion);
    return equal && told.some(({ Region, Role }) => Role === 'PRIMARY' && Region === first.PrimaryRegion) && first.PrimaryRegion;
  }, deadlineMs);
}

// Compares the Regions' copies, record by record. A Region whose links are still coming back is asked again; one that differs is an error at once.
export async function verifyCopies(lab, UserPoolId, deadlineMs = 60_000) {
  const differ = 1;
  const compared = await until('the copies of all Regions are compared', async () => {
    try {
      return { told: await lab.symbolon('replication', 'verify', UserPoolId, '--dir', lab.dir) };
    } catch (error) {
      if (error.code !== differ) throw error;
      return { error };
    }
  }, deadlineMs);
  if (compared.error) throw compared.error;
  return compared.told;
}

// Role, epoch, sequence and members of a pool as one Region sees them.
export async function describeReplication(lab, region, UserPoolId) {
  return ask(lab, region, 'DescribeReplication', { UserPoolId });
}

// Until the second Region has applied what the first one had committed when this was called.
export async function untilCaughtUp(lab, UserPoolId, deadlineMs) {
  const { Sequence } = await describeReplication(lab, lab.primary.name, UserPoolId);
  await until(
    `${lab.secondary.name} has applied entry ${Sequence}`,
    async () => (await describeReplication(lab, lab.secondary.name, UserPoolId)).Sequence >= Sequence,
    deadlineMs,
  );
}
