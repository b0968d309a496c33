// A load of sign-ups, password changes, sign-ins, revocations and disabled users by the AWS SDK for JavaScript, in all Regions at once, recorded
// in a history. Each user belongs to one worker; after a write whose outcome is open its user is left as it is.
import { setTimeout as pause } from 'node:timers/promises';
import {
  AdminConfirmSignUpCommand,
  AdminDisableUserCommand,
  AdminSetUserPasswordCommand,
  ChangePasswordCommand,
  GlobalSignOutCommand,
  InitiateAuthCommand,
  ListUsersCommand,
  RevokeTokenCommand,
  SignUpCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { inParallel, until } from './wait.mjs';

const requestHandler = { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true };
const passwordsOfAUser = 4;
const shareDisabled = 0.5;
const backoffMs = 20;
// For a fact, when the Regions are connected again; a link that failed is tried after ten seconds at the latest.
const arrivalMs = 60_000;
export const passwordText = (index) => `Password-number-${index}`;

// Mulberry32: numbers in [0, 1), the same ones for a seed.
export function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const pick = (random, items) => items[Math.floor(random() * items.length)];

export class Load {
  users = [];
  // Where sessions are revoked and users disabled, if not in all `regions`.
  saysFactsIn;
  #clients;
  // By worker: index of the Region that took its last write.
  #writers;
  #ending = false;
  #done;

  // `name` is part of every user's name; `regions` (names) are those that it uses, all of them to begin with.
  constructor({ lab, pool, client, history, name, seed, workers = 6, regions = lab.regions.map((region) => region.name) }) {
    Object.assign(this, { pool, client, history, regions });
    this.#clients = new Map(lab.regions.map((region) => [region.name, lab.cognito(region.name, { requestHandler })]));
    this.#writers = Array(workers).fill(0);
    this.#done = inParallel(workers, async (worker) => {
      const random = seededRandom(seed * 1_000 + worker);
      for (let i = 0; !this.#ending; ++i) await this.#life(worker, `${name}-${worker}-${i}`, random);
    });
    this.#done.catch(() => {}); // end() tells it
  }

  // Half of the workers send their next write to a Region (a name); they go elsewhere when it takes none.
  turnHalfTo(region) {
    for (let worker = 0; worker < this.#writers.length; worker += 2) this.#writers[worker] = this.regions.indexOf(region);
  }

  #any(random) {
    return pick(random, this.regions);
  }
  #anyForFacts(random) {
    return pick(random, this.saysFactsIn ?? this.regions);
  }

  #send(kind, region, command, fields) {
    return this.history.send(kind, this.#clients.get(region), command, { region, ...fields });
  }

  // Until it has an outcome other than undone, in the Region that takes writes; false unless it is acknowledged.
  async #write(kind, user, makeCommand, fields = {}) {
    const { worker } = user;
    while (!this.#ending) {
      const at = this.#writers[worker] % this.regions.length;
      const { outcome, position } = await this.#send(kind, this.regions[at], makeCommand(), { user: user.name, ...fields });
      if (outcome === 'ok') {
        user.position = position;
        user.acknowledged.push({ position, password: fields.password });
        return true;
      }
      this.#writers[worker] = at + 1;
      if (outcome !== 'undone') {
        if (fields.password !== undefined) user.open = fields.password;
        return false;
      }
      await pause(backoffMs);
    }
    return false;
  }

  async #life(worker, name, random) {
    const user = { worker, name, revoked: [], acknowledged: [], lost: [] };
    const who = { UserPoolId: this.pool.Id, Username: name };
    if (!(await this.#write('signUp', user, () => new SignUpCommand({ ClientId: this.client.ClientId, Username: name, Password: passwordText(0) })))) {
      return void (await pause(backoffMs));
    }
    this.users.push(user);
    if (!(await this.#write('confirm', user, () => new AdminConfirmSignUpCommand(who), { password: 0 }))) return;
    let tokens = await this.#useAccount(user, random);
    for (let password = 1; password < passwordsOfAUser && !this.#ending; ++password) {
      const { AccessToken } = tokens ?? {};
      const [PreviousPassword, Password] = [passwordText(password - 1), passwordText(password)];
      const command = () =>
        AccessToken && random() < 0.5
          ? new ChangePasswordCommand({ AccessToken, PreviousPassword, ProposedPassword: Password })
          : new AdminSetUserPasswordCommand({ ...who, Password, Permanent: true });
      if (!(await this.#write('setPassword', user, command, { password }))) return;
      tokens = await this.#useAccount(user, random);
    }
    if (random() < shareDisabled && !this.#ending) await this.#disable(user, who, random);
  }

  async #disable(user, who, random) {
    const region = this.#anyForFacts(random);
    const { outcome } = await this.#send('disable', region, new AdminDisableUserCommand(who), { user: user.name, asked: user.position });
    if (outcome === 'ok') user.disabledIn = region;
    for (const other of this.regions) await this.signIn(user, other, user.acknowledged.at(-1).password, { asked: user.position });
  }

  // Signs in with the old and with the new password, mostly asking for the position of the change; revokes some sessions.
  async #useAccount(user, random) {
    const { password } = user.acknowledged.at(-1);
    const asked = () => (random() < 0.7 ? { asked: user.position } : {});
    if (password > 0) await this.signIn(user, this.#any(random), password - 1, asked());
    const tokens = await this.signIn(user, this.#any(random), password, asked());
    if (tokens.outcome !== 'ok') return undefined;
    const session = { name: `${user.name} session ${password}`, text: tokens.RefreshToken, user };
    await this.refresh(session, this.#any(random));
    if (random() < 0.5) return tokens;
    await this.#revoke(session, tokens, this.#anyForFacts(random), random);
    for (const region of this.regions) await this.refresh(session, region);
    return undefined;
  }

  async signIn(user, region, password, fields) {
    const AuthParameters = { USERNAME: user.name, PASSWORD: passwordText(password) };
    const command = new InitiateAuthCommand({ AuthFlow: 'USER_PASSWORD_AUTH', ClientId: this.client.ClientId, AuthParameters });
    const { answer, outcome } = await this.#send('signIn', region, command, { user: user.name, password, ...fields });
    return { outcome, ...answer?.AuthenticationResult };
  }

  // Always asks for the user's position: a Region without the user would refuse for want of it.
  async refresh(session, region, fields) {
    const AuthParameters = { REFRESH_TOKEN: session.text };
    const command = new InitiateAuthCommand({ AuthFlow: 'REFRESH_TOKEN_AUTH', ClientId: this.client.ClientId, AuthParameters });
    const asked = session.user.position;
    return (await this.#send('refresh', region, command, { token: session.name, asked, ...fields })).outcome;
  }

  async #revoke(session, { AccessToken }, region, random) {
    const { ClientId } = this.client;
    const command =
      random() < 0.7 ? new RevokeTokenCommand({ ClientId, Token: session.text }) : new GlobalSignOutCommand({ AccessToken });
    const asked = session.user.position;
    const { outcome } = await this.#send('revoke', region, command, { token: session.name, asked });
    if (outcome === 'ok') session.user.revoked.push({ session, region });
  }

  // So many answers more than there are now: those that succeeded, of a kind if it is named, else all that came of sent requests.
  async further(count, kind) {
    const counted = () =>
      this.history.events.filter((event) => (kind ? event.kind === kind && event.outcome === 'ok' : event.outcome !== 'undone')).length;
    const goal = counted() + count;
    await until(`${count} further ${kind ?? 'event'}s`, () => counted() >= goal, 60_000);
  }

  get ended() {
    return this.#ending;
  }
  async end() {
    this.#ending = true;
    await this.#done;
  }

  // --- when the Regions are equal again ---

  // Whether the surviving history has each acknowledged write, as every Region says. Positions that it has not are not asked
  // for any more.
  async judge() {
    const lost = new Set();
    const positions = this.users.flatMap((user) => user.acknowledged.map(({ position }) => position));
    await this.#forEach(this.regions.flatMap((region) => positions.map((asked) => ({ region, asked }))), async ({ region, asked }) => {
      const command = () => new ListUsersCommand({ UserPoolId: this.pool.Id, Limit: 1 });
      const { outcome } = await this.#settled(() => this.#send('verdict', region, command(), { asked }));
      if (outcome === 'setAside') lost.add(asked);
    });
    for (const user of this.users) {
      user.lost = user.acknowledged.filter(({ position }) => lost.has(position));
      user.acknowledged = user.acknowledged.filter(({ position }) => !lost.has(position));
      user.position = user.acknowledged.at(-1)?.position;
    }
  }

  // Everybody signs in everywhere, with the passwords that may be right, and with one that is not any more; revoked sessions
  // are tried.
  async audit() {
    for (const region of this.regions) await this.#list(region);
    await this.#forEach(this.#disabled(this.regions), ({ user, region }) => this.#untilDisabled(user, region));
    await this.#forEach(this.users.flatMap((user) => this.regions.map((region) => ({ user, region }))), async ({ user, region }) => {
      for (const password of [this.#passwords(user).at(-1), user.open].filter((some) => some !== undefined)) {
        const { outcome } = await this.#settled(() => this.signIn(user, region, password, { final: true }));
        if (outcome !== 'refused') break;
      }
    });
    // One Region each: wrong passwords are counted, by all Regions together.
    await this.#forEach(this.users, async (user) => {
      const wrong = user.lost.at(-1)?.password ?? this.#passwords(user).at(-2);
      if (wrong !== undefined) await this.signIn(user, this.#any(Math.random), wrong, { final: true });
    });
    // What a Region accepted whose disk is lost may be lost with it.
    await this.#forEach(this.#revocations(this.regions), async ({ session, region }) => {
      await this.#untilRevoked(session, region);
      await this.#settled(async () => ({ outcome: await this.refresh(session, region, { final: true }) }));
    });
  }

  // Until what these Regions acknowledged so far of sessions and disabled users is in every Region.
  async untilFactsArrived(acceptedIn) {
    await this.#forEach(this.#disabled(acceptedIn), ({ user, region }) => this.#untilDisabled(user, region));
    await this.#forEach(this.#revocations(acceptedIn), ({ session, region }) => this.#untilRevoked(session, region));
  }

  #untilRevoked(session, region) {
    return until(`the revocation of ${session.name} is in ${region}`, async () => (await this.refresh(session, region)) === 'refused', arrivalMs);
  }

  #untilDisabled(user, region) {
    const password = this.#passwords(user).at(-1);
    return until(`${region} knows that ${user.name} is disabled`, async () => (await this.signIn(user, region, password)).outcome === 'refused', arrivalMs);
  }

  // Of users who are not set aside.
  #disabled(acceptedIn) {
    const disabled = this.users.filter((user) => acceptedIn.includes(user.disabledIn) && this.#passwords(user).length > 0);
    return disabled.flatMap((user) => this.regions.map((region) => ({ user, region })));
  }

  #revocations(acceptedIn) {
    const revoked = this.users.flatMap((user) => user.revoked).filter(({ region }) => acceptedIn.includes(region));
    return revoked.flatMap(({ session }) => this.regions.map((region) => ({ session, region })));
  }

  // Those that were acknowledged and not set aside, the newest last.
  #passwords(user) {
    return user.acknowledged.map(({ password }) => password).filter((password) => password !== undefined);
  }

  async #list(region) {
    const users = [];
    let PaginationToken;
    do {
      const command = () => new ListUsersCommand({ UserPoolId: this.pool.Id, PaginationToken });
      // The SDK learns of a clock that was set from a refusal.
      const page = await until(`a page of ${region}'s users`, () => this.#clients.get(region).send(command()));
      users.push(...page.Users.map((user) => user.Username));
      PaginationToken = page.PaginationToken;
    } while (PaginationToken);
    this.history.note('list', { region, users });
  }

  // Until there is an outcome that tells something.
  #settled(ask) {
    return until('an answer that tells something', async () => {
      const answer = await ask();
      return !['undone', 'unknown'].includes(answer.outcome) && answer;
    });
  }

  async #forEach(items, work) {
    const left = [...items];
    await inParallel(8, async () => {
      for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
    });
  }
}
