import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  CreateUserPoolCommand,
  DeleteUserPoolCommand,
  DescribeUserPoolCommand,
  GetUserPoolMfaConfigCommand,
  ListUserPoolsCommand,
  UpdateUserPoolCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { fails } from '../lib/expect.mjs';
import { account, Lab } from '../lib/lab.mjs';
import { anyName, createPool } from '../lib/pools.mjs';

const lab = await Lab.shared();
const cognito = lab.cognito();
after(() => lab.release());

const describe = async (id) => (await cognito.send(new DescribeUserPoolCommand({ UserPoolId: id }))).UserPool;

test('a pool made with a name alone reads back AWS\'s defaults', async () => {
  const name = anyName('pool');
  const { UserPool: created } = await cognito.send(new CreateUserPoolCommand({ PoolName: name }));
  assert.match(created.Id, new RegExp(`^${lab.primary.name}_[0-9A-Za-z]{9}$`));
  assert.equal(created.Arn, `arn:aws:cognito-idp:${lab.primary.name}:${account}:userpool/${created.Id}`);

  const pool = await describe(created.Id);
  assert.equal(pool.Name, name);
  assert.deepEqual(pool.Policies.PasswordPolicy, {
    MinimumLength: 8,
    RequireUppercase: true,
    RequireLowercase: true,
    RequireNumbers: true,
    RequireSymbols: true,
    TemporaryPasswordValidityDays: 7,
  });
  assert.equal(pool.MfaConfiguration, 'OFF');
  assert.equal(pool.DeletionProtection, 'INACTIVE');
  assert.equal(pool.UserPoolTier, 'ESSENTIALS');
  assert.equal(pool.AdminCreateUserConfig.AllowAdminCreateUserOnly, false);
  assert.ok(Math.abs(pool.CreationDate.getTime() - Date.now()) < 60_000);
  assert.ok(pool.LastModifiedDate instanceof Date);
  for (const unset of ['DeviceConfiguration', 'UserPoolAddOns', 'UsernameConfiguration', 'AliasAttributes']) {
    assert.equal(pool[unset], undefined, `${unset} was never set`);
  }
  assert.deepEqual(
    pool.SchemaAttributes.map((attribute) => attribute.Name),
    [
      'profile', 'address', 'birthdate', 'gender', 'preferred_username', 'updated_at', 'website', 'picture', 'identities',
      'sub', 'phone_number', 'phone_number_verified', 'zoneinfo', 'locale', 'email', 'email_verified', 'given_name',
      'family_name', 'middle_name', 'name', 'nickname',
    ],
  );
  const sub = pool.SchemaAttributes.find((attribute) => attribute.Name === 'sub');
  assert.equal(sub.Mutable, false);
  assert.equal(sub.Required, true);
  assert.deepEqual(sub.StringAttributeConstraints, { MinLength: '1', MaxLength: '2048' });
});

test('settings are stored and returned', async () => {
  const created = await createPool(cognito, {
    PoolName: 'settings',
    Policies: { PasswordPolicy: { MinimumLength: 12, RequireNumbers: true } },
    UsernameAttributes: ['email'],
    UsernameConfiguration: { CaseSensitive: false },
    AutoVerifiedAttributes: ['email'],
    DeletionProtection: 'INACTIVE',
    UserPoolTier: 'PLUS',
    UserPoolTags: { team: 'identity' },
    AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
    AccountRecoverySetting: { RecoveryMechanisms: [{ Name: 'verified_email', Priority: 1 }] },
    Schema: [
      { Name: 'given_name', Required: true, Mutable: true },
      {
        Name: 'tenant', AttributeDataType: 'String', Mutable: false,
        StringAttributeConstraints: { MinLength: '1', MaxLength: '16' },
      },
      { Name: 'level', AttributeDataType: 'Number', NumberAttributeConstraints: { MinValue: '1', MaxValue: '9' } },
    ],
  });
  const pool = await describe(created.Id);
  // A partial policy leaves what it does not name off.
  assert.deepEqual(pool.Policies.PasswordPolicy, {
    MinimumLength: 12,
    RequireUppercase: false,
    RequireLowercase: false,
    RequireNumbers: true,
    RequireSymbols: false,
    TemporaryPasswordValidityDays: 7,
  });
  assert.deepEqual(pool.UsernameAttributes, ['email']);
  assert.deepEqual(pool.UsernameConfiguration, { CaseSensitive: false });
  assert.deepEqual(pool.AutoVerifiedAttributes, ['email']);
  assert.equal(pool.UserPoolTier, 'PLUS');
  assert.deepEqual(pool.UserPoolTags, { team: 'identity' });
  assert.equal(pool.AdminCreateUserConfig.AllowAdminCreateUserOnly, true);
  assert.deepEqual(pool.AccountRecoverySetting.RecoveryMechanisms, [{ Name: 'verified_email', Priority: 1 }]);
  const attribute = (name) => pool.SchemaAttributes.find((each) => each.Name === name);
  assert.equal(attribute('given_name').Required, true);
  assert.equal(attribute('custom:tenant').Mutable, false);
  assert.deepEqual(attribute('custom:tenant').StringAttributeConstraints, { MinLength: '1', MaxLength: '16' });
  assert.deepEqual(attribute('custom:level').NumberAttributeConstraints, { MinValue: '1', MaxValue: '9' });
});

test('an update resets AutoVerifiedAttributes that it leaves out, and keeps the password policy', async () => {
  const { Id } = await createPool(cognito, { Policies: { PasswordPolicy: { MinimumLength: 14 } } });
  await cognito.send(new UpdateUserPoolCommand({ UserPoolId: Id, DeletionProtection: 'ACTIVE' }));
  const pool = await describe(Id);
  assert.equal(pool.DeletionProtection, 'ACTIVE');
  assert.equal(pool.Policies.PasswordPolicy.MinimumLength, 14);
  assert.deepEqual(pool.AutoVerifiedAttributes ?? [], []);
});

test('a protected pool is not deleted, an unprotected one is', async () => {
  const { Id } = await createPool(cognito, { DeletionProtection: 'ACTIVE' });
  await fails(cognito.send(new DeleteUserPoolCommand({ UserPoolId: Id })), 'InvalidParameterException');
  await cognito.send(new UpdateUserPoolCommand({ UserPoolId: Id, DeletionProtection: 'INACTIVE' }));
  await cognito.send(new DeleteUserPoolCommand({ UserPoolId: Id }));
  await fails(describe(Id), 'ResourceNotFoundException', `User pool ${Id} does not exist.`);
});

test('ListUserPools pages through every pool once', async () => {
  const made = new Set();
  for (let i = 0; i < 5; ++i) made.add((await createPool(cognito, { PoolName: `page-${i}` })).Id);
  const seen = [];
  let NextToken;
  do {
    const page = await cognito.send(new ListUserPoolsCommand({ MaxResults: 2, NextToken }));
    assert.ok(page.UserPools.length <= 2);
    seen.push(...page.UserPools.map((pool) => pool.Id));
    NextToken = page.NextToken;
  } while (NextToken);
  assert.equal(new Set(seen).size, seen.length);
  for (const id of made) assert.ok(seen.includes(id));
});

test('GetUserPoolMfaConfig answers for a pool without MFA', async () => {
  const { Id } = await createPool(cognito);
  const answer = await cognito.send(new GetUserPoolMfaConfigCommand({ UserPoolId: Id }));
  assert.equal(answer.MfaConfiguration, 'OFF');
});

test('what is not available yet is refused, not ignored', async () => {
  const setting = {
    PoolName: 'triggers',
    LambdaConfig: { PreSignUp: 'arn:aws:lambda:eu-central-1:000000000000:function:check' },
  };
  await fails(cognito.send(new CreateUserPoolCommand(setting)), 'InvalidParameterException', /LambdaConfig/);
  await fails(
    cognito.send(new CreateUserPoolCommand({ PoolName: 'mfa', MfaConfiguration: 'ON' })),
    'InvalidParameterException',
  );
});

test('contradictory settings are refused', async () => {
  const refuse = (settings, message) =>
    fails(cognito.send(new CreateUserPoolCommand({ PoolName: 'x', ...settings })), 'InvalidParameterException', message);
  await refuse({ AliasAttributes: ['email'], UsernameAttributes: ['email'] });
  await refuse({ Schema: [{ Name: 'tenant', AttributeDataType: 'String', Required: true }] });
  await refuse({
    AutoVerifiedAttributes: [],
    UserAttributeUpdateSettings: { AttributesRequireVerificationBeforeUpdate: ['email'] },
  });
  await refuse({ PoolName: '' }, /poolName/);
  await refuse({ Policies: { PasswordPolicy: { MinimumLength: 5 } } }, /minimumLength/);
  await refuse({ AutoVerifiedAttributes: ['shoe_size'] }, /autoVerifiedAttributes/);
});
