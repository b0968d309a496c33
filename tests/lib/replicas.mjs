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

// The ARN of a multi-Region key that both Regions hold, as the first Region names it.
export async function multiRegionKey(lab) {
  const kms = lab.kms();
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ MultiRegion: true, Description: 'a pool in both Regions' }));
  await kms.send(new ReplicateKeyCommand({ KeyId: KeyMetadata.KeyId, ReplicaRegion: lab.secondary.name }));
  return KeyMetadata.Arn;
}

export async function replicaStatus(cognito, UserPoolId, region) {
  const { UserPoolReplicas } = await cognito.send(new ListUserPoolReplicasCommand({ UserPoolId }));
  return UserPoolReplicas.find((replica) => replica.RegionName === region)?.Status;
}

export async function untilReplica(cognito, UserPoolId, region, status) {
  await until(`the replica in ${region} is ${status}`, async () => (await replicaStatus(cognito, UserPoolId, region)) === status);
}

// A pool whose replica in the second Region is ACTIVE.
export async function createReplicatedPool(lab, settings = {}) {
  const cognito = lab.cognito();
  const KmsKeyArn = await multiRegionKey(lab);
  const pool = await createPool(cognito, {
    KeyConfiguration: { KeyType: 'CUSTOMER_MANAGED_KEY', KmsKeyArn },
    ...settings,
  });
  const RegionName = lab.secondary.name;
  await cognito.send(new CreateUserPoolReplicaCommand({ UserPoolId: pool.Id, RegionName }));
  await untilReplica(cognito, pool.Id, RegionName, 'INACTIVE');
  await cognito.send(new UpdateUserPoolReplicaCommand({ UserPoolId: pool.Id, RegionName, Status: 'ACTIVE' }));
  await untilReplica(cognito, pool.Id, RegionName, 'ACTIVE');
  return pool;
}

// Role, epoch, sequence and members of a pool as one Region sees them.
export async function describeReplication(lab, region, UserPoolId) {
  const answer = await call(lab.endpoint(region), 'DescribeReplication', { UserPoolId }, { prefix: prefixes.symbolon });
  if (answer.status !== 200) throw new Error(`${answer.error}: ${answer.message}`);
  return answer.body;
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
