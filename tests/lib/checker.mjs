// Goes over a recorded history (history.mjs) and says what the Regions must not have answered. Pure.

// What changes a user's password: nobody signs in before the confirmation.
const changes = new Set(['confirm', 'setPassword']);

// "42@1.eu-central-1.0f1e.../eu-central-1_AbC" ->
// { sequence: 42, epoch: '1.eu-central-1.0f1e...', counter: 1, leader: 'eu-central-1' }
export function parsePosition(text) {
  const [, sequence, epoch, counter, leader] = text.match(/^(\d+)@((\d+)\.([^.]+)\.[^/]+)\//);
  return { sequence: Number(sequence), epoch, counter: Number(counter), leader };
}

// What a Region has proved to have, and when: it served somebody who asked for the position.
class Proof {
  #byRegionAndEpoch = new Map();

  constructor(events) {
    for (const event of events) {
      const served = event.asked && ['signIn', 'refresh', 'verdict'].includes(event.kind) && ['ok', 'refused'].includes(event.outcome);
      if (served) this.#add(event.region, parsePosition(event.asked), event.end);
    }
  }

  #add(region, { epoch, sequence }, at) {
    const key = `${region} ${epoch}`;
    if (!this.#byRegionAndEpoch.has(key)) this.#byRegionAndEpoch.set(key, []);
    const proofs = this.#byRegionAndEpoch.get(key);
    if (!proofs.some((proof) => proof.sequence >= sequence && proof.at <= at)) proofs.push({ sequence, at });
  }

  // Whether the Region served `position` before the time.
  covers(region, { epoch, sequence }, before) {
    return (this.#byRegionAndEpoch.get(`${region} ${epoch}`) ?? []).some((proof) => proof.at < before && proof.sequence >= sequence);
  }
}

function groupBy(events, key) {
  const groups = new Map();
  for (const event of events) {
    if (event[key] === undefined) continue;
    if (!groups.has(event[key])) groups.set(event[key], []);
    groups.get(event[key]).push(event);
  }
  return groups;
}

// The passwords that a user may have at the end, and the changes that were acknowledged and not set aside.
function passwordsOf(events, lost) {
  let possible = new Set();
  const made = [];
  for (const event of events) {
    if (!changes.has(event.kind)) continue;
    if (event.outcome === 'ok' && !lost.has(event.position)) {
      possible = new Set([event.password]);
      made.push({ ...event, at: parsePosition(event.position) });
    } else if (event.outcome === 'unknown') {
      possible.add(event.password);
    }
  }
  return { possible, made };
}

// A disabled user stays so: nobody enables one again. From when on each Region knew: it acknowledged it, or it said so.
// One whose sign-up was set aside is nobody any more, and nobody is asked about them at the end.
function checkDisabled(user, events, { lost, regions }) {
  const disables = events.filter(({ kind, outcome }) => kind === 'disable' && outcome === 'ok');
  const signIns = events.filter(({ kind }) => kind === 'signIn');
  const told = [];
  for (const { region, start, outcome } of signIns) {
    const arrived = Math.min(
      ...disables.filter((event) => event.region === region).map(({ end }) => end),
      ...signIns.filter((event) => event.region === region && isDisabled(event)).map(({ end }) => end),
    );
    if (outcome === 'ok' && start > arrived) told.push(`${region} let ${user} in, whom it knew to be disabled`);
  }
  const isGone = events.some(({ kind, outcome, position }) => kind === 'signUp' && outcome === 'ok' && lost.has(position));
  if (!isGone && disables.some(({ region }) => regions.includes(region))) {
    for (const region of regions) {
      const final = signIns.filter((event) => event.final && event.region === region);
      if (!final.some(isDisabled)) told.push(`nobody saw ${region} refuse ${user}, who was disabled, at the end`);
    }
  }
  return told;
}
const isDisabled = ({ outcome, error }) => outcome === 'refused' && /disabled/.test(error);

function checkUser(user, events, { lost, proof, regions }) {
  const told = checkDisabled(user, events, { lost, regions });
  const disabled = events.filter(({ kind, outcome }) => kind === 'disable' && ['ok', 'unknown'].includes(outcome));
  const { possible, made } = passwordsOf(events, lost);
  // The newest change that a Region must know of when it serves `event`: by the position that was asked for, or by one
  // that the Region had proved to have.
  const mustKnow = (event) => {
    const asked = event.asked && parsePosition(event.asked);
    return made.findLast((change) => {
      if (change.end > event.start) return false;
      if (asked && asked.epoch === change.at.epoch && asked.sequence >= change.at.sequence) return true;
      return proof.covers(event.region, change.at, event.start);
    });
  };
  const signIns = events.filter(({ kind }) => kind === 'signIn');
  for (const event of signIns) {
    const { region, password, outcome } = event;
    const known = mustKnow(event);
    if (outcome === 'ok' && known && password < known.password) {
      told.push(`${region} accepted password ${password} of ${user} at or after ${known.position}, which has ${known.password}`);
    }
    if (outcome === 'ok' && event.final && !possible.has(password)) {
      told.push(`${region} accepts password ${password} of ${user} at the end, who has ${[...possible].join(' or ') || 'none'}`);
    }
    // Also by what was set aside later.
    const mayHaveChanged = events.some(
      (other) => changes.has(other.kind) && ['ok', 'unknown'].includes(other.outcome) && other.password > password && other.start < event.end,
    );
    const mayBeDisabled = disabled.some(({ start }) => start < event.end);
    if (outcome === 'refused' && known?.password === password && !mayHaveChanged && !mayBeDisabled) {
      told.push(`${region} refused password ${password} of ${user} at or after ${known.position}: ${event.error}`);
    }
  }
  if (made.length > 0 && disabled.length === 0) {
    for (const region of regions) {
      const found = signIns.some((event) => event.final && event.region === region && event.outcome === 'ok');
      if (!found) told.push(`${user} was acknowledged, and nobody signs in at the end in ${region}`);
    }
  }
  return told;
}

// Everybody who was signed up is there, in every Region.
function checkPresence(events, regions, lost) {
  const told = [];
  for (const region of regions) {
    const listed = events.findLast((event) => event.kind === 'list' && event.region === region);
    const names = new Set(listed?.users);
    if (!listed) told.push(`nobody listed the users of ${region} at the end`);
    for (const event of events) {
      if (event.kind !== 'signUp' || event.outcome !== 'ok' || lost.has(event.position)) continue;
      if (!names.has(event.user)) told.push(`${event.user} was signed up at ${event.position} and is not in ${region}`);
    }
  }
  return told;
}

function checkToken(token, events, regions) {
  const told = [];
  const revocations = events.filter((event) => event.kind === 'revoke' && (event.outcome === 'ok' || event.outcome === 'unknown'));
  // What a Region accepted whose disk is lost may be lost with it.
  const acknowledged = revocations.filter((event) => event.outcome === 'ok' && regions.includes(event.region));
  const asked = Math.min(...revocations.map((event) => event.start));
  const refreshes = events.filter((event) => event.kind === 'refresh');
  for (const event of refreshes.filter(({ outcome }) => outcome === 'ok')) {
    // From when on this Region has the fact: it acknowledged it, or it refused the token since somebody asked for it.
    const arrived = Math.min(
      ...acknowledged.filter(({ region }) => region === event.region).map(({ end }) => end),
      ...refreshes.filter((other) => other.region === event.region && other.outcome === 'refused' && other.start > asked).map(({ end }) => end),
    );
    if (event.start > arrived) told.push(`${event.region} honoured ${token} after its revocation had arrived there`);
    if (event.final && acknowledged.length > 0) told.push(`${event.region} honours ${token} at the end, though it was revoked in ${acknowledged[0].region}`);
  }
  if (acknowledged.length > 0) {
    for (const region of regions) {
      const refused = refreshes.some((event) => event.final && event.region === region && event.outcome === 'refused');
      if (!refused) told.push(`nobody saw ${region} refuse ${token} at the end`);
    }
  }
  return told;
}

// What was set aside must be what a forced promotion said that it may.
function checkSetAside(events) {
  const forced = events.filter((event) => event.kind === 'promote' && event.forced);
  // One that came to no answer may have begun an epoch all the same, from nobody knows where.
  if (forced.some(({ outcome }) => outcome === 'unknown')) return [];
  return events
    .filter((event) => event.kind === 'verdict' && event.outcome === 'setAside')
    .filter(({ asked }) => {
      const { counter, leader, sequence } = parsePosition(asked);
      return !forced.some(({ epoch, region, firstSequence }) => {
        const replaced = counter < epoch || (counter === epoch && leader !== region);
        return replaced && sequence >= firstSequence;
      });
    })
    .map(({ asked }) => `${asked} was set aside, and no forced promotion had announced it`);
}

// A position is in the surviving history or not, in every Region alike.
function checkVerdictsAgree(events) {
  const verdicts = events.filter(({ kind, outcome }) => kind === 'verdict' && ['ok', 'setAside'].includes(outcome));
  return [...groupBy(verdicts, 'asked')]
    .filter(([, those]) => new Set(those.map(({ outcome }) => outcome)).size > 1)
    .map(([position]) => `the Regions do not agree whether ${position} was set aside`);
}

// What is wrong with a history, at the end of which there are `regions` (names): a sentence each, none when nothing is.
export function check(events, regions) {
  const lost = new Set(events.filter(({ kind, outcome }) => kind === 'verdict' && outcome === 'setAside').map(({ asked }) => asked));
  const context = { lost, proof: new Proof(events), regions };
  return [
    ...checkPresence(events, regions, lost),
    ...[...groupBy(events, 'user')].flatMap(([user, own]) => checkUser(user, own, context)),
    ...[...groupBy(events, 'token')].flatMap(([token, own]) => checkToken(token, own, regions)),
    ...checkSetAside(events),
    ...checkVerdictsAgree(events),
  ];
}

// For Regions that ask an authority who is primary: an epoch is one Region's, and no write was answered that was sent after
// another had been answered in a later epoch.
export function checkOneWriter(events) {
  const writes = events
    .filter(({ kind, outcome, position }) => ['signUp', ...changes].includes(kind) && outcome === 'ok' && position)
    .map((event) => ({ ...event, ...parsePosition(event.position) }));
  const epochs = groupBy(writes, 'counter');
  const told = [];
  for (const [counter, own] of epochs) {
    const leaders = new Set(own.map(({ epoch }) => epoch));
    if (leaders.size > 1) told.push(`there are two epochs ${counter}: ${[...leaders].join(' and ')}`);
    const later = writes.filter((other) => other.counter > counter).sort((a, b) => a.end - b.end)[0];
    for (const { region, position, start } of own) {
      if (start > later?.end) told.push(`${region} answered a write at ${position}, which was sent after ${later.region} had answered one at ${later.position}`);
    }
  }
  return told;
}

// How much a history put to the proof, for people and for tests that must not pass for want of load.
export function summary(events) {
  const count = {};
  for (const { kind, outcome } of events) {
    const name = `${kind} ${outcome}`;
    count[name] = (count[name] ?? 0) + 1;
  }
  return count;
}
