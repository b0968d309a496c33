// kill -9 under load, again and again: no acknowledged write is lost, in the Region that acknowledged it and, when the
// Regions have met, in the other.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, test } from 'node:test';
import { AdminConfirmSignUpCommand, ListUsersCommand, SignUpCommand } from '@aws-sdk/client-cognito-identity-provider';
import { Lab } from '../lib/lab.mjs';
import { createClient, password, refresh, signIn } from '../lib/pools.mjs';
import { createReplicatedPool, untilCaughtUp } from '../lib/replicas.mjs';
import { inParallel, until } from '../lib/wait.mjs';

const rounds = Number(process.env.SYMBOLON_TEST_ROUNDS ?? 6);
const workers = 8;
const lab = await Lab.start();
after(() => lab.release());
const { primary, secondary } = lab;
const here = lab.cognito();
const there = lab.cognito(secondary.name);
const pool = await createReplicatedPool(lab);
const client = await createClient(here, pool.Id);

async function everybody(cognito) {
  const names = [];
  let PaginationToken;
  do {
    const page = await cognito.send(new ListUsersCommand({ UserPoolId: pool.Id, PaginationToken }));
    names.push(...page.Users.map((user) => user.Username));
    PaginationToken = page.PaginationToken;
  } while (PaginationToken);
  return names;
}

// Signs people up, `workers` at a time, until told to end; those who were acknowledged, as they come.
class Load {
  acknowledged = [];
  // Sent, and without an answer when the Region went: they may or may not be there.
  unknown = [];
  #ending = false;
  #done;

  constructor(round) {
    this.#done = inParallel(workers, async (worker) => {
      for (let i = 0; !this.#ending; ++i) {
        const Username = `round-${round}-worker-${worker}-${i}`;
        try {
          await here.send(new SignUpCommand({ ClientId: client.ClientId, Username, Password: password }));
          this.acknowledged.push(Username);
        } catch (error) {
          // An answer that refuses would be a mistake of ours; what is expected is a connection that breaks.
          assert.equal(error.$metadata?.httpStatusCode, undefined, `${error.name}: ${error.message}`);
          this.unknown.push(Username);
          return;
        }
      }
    });
    this.#done.catch(() => {}); // end() tells it
  }

  async reached(count) {
    await until(`${count} sign-ups`, () => this.acknowledged.length >= count, 60_000);
  }

  async end() {
    this.#ending = true;
    await this.#done;
  }
}

async function accountFor(all, tried) {
  await untilCaughtUp(lab, pool.Id, 60_000);
  for (const cognito of [here, there]) {
    const names = await everybody(cognito);
    const present = new Set(names);
    assert.equal(present.size, names.length, 'nobody is there twice');
    assert.deepEqual(all.filter((name) => !present.has(name)), [], 'everybody who was acknowledged is there');
    assert.deepEqual(names.filter((name) => !tried.has(name)), [], 'nobody is there who was not sent');
  }
}

test(`${rounds} losses of the primary and of the secondary, under load`, { timeout: 600_000 }, async (t) => {
  const acknowledged = [];
  const tried = new Set();
  for (let round = 0; round < rounds; ++round) {
    // The primary in every round; sometimes the secondary dies in the middle of the stream too.
    const load = new Load(round);
    await load.reached(randomInt(1, 40));
    const loseSecondary = round % 2 === 1;
    if (loseSecondary) {
      await lab.kill(secondary.name);
      await load.reached(load.acknowledged.length + randomInt(1, 40));
      await lab.startRegion(secondary.name);
      await load.reached(load.acknowledged.length + randomInt(1, 20));
    }
    await lab.kill(primary.name);
    await load.end();
    acknowledged.push(...load.acknowledged);
    for (const name of [...load.acknowledged, ...load.unknown]) tried.add(name);
    await lab.startRegion(primary.name);
    await accountFor(acknowledged, tried);
    t.diagnostic(`round ${round}: ${load.acknowledged.length} acknowledged, ${load.unknown.length} without an answer`);
  }
});

test('people sign in and refresh through the router while the primary comes and goes', { timeout: 600_000 }, async (t) => {
  const routed = lab.cognito('router', { maxAttempts: 3 });
  const Username = 'traveller';
  await here.send(new SignUpCommand({ ClientId: client.ClientId, Username, Password: password }));
  await here.send(new AdminConfirmSignUpCommand({ UserPoolId: pool.Id, Username }));
  await untilCaughtUp(lab, pool.Id);
  const { RefreshToken } = await signIn(routed, client, Username);
  for (let round = 0; round < 3; ++round) {
    await lab.kill(primary.name);
    const lost = Date.now();
    await until('the first sign-in after the loss', () => signIn(routed, client, Username));
    t.diagnostic(`first sign-in through the router ${Date.now() - lost} ms after the kill`);
    assert.ok((await refresh(routed, client, RefreshToken)).AccessToken);
    await lab.startRegion(primary.name);
    await until('the primary refreshes', () => refresh(here, client, RefreshToken));
  }
});
