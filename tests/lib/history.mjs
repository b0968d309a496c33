// What clients asked and were told, in the order of the answers, for the checker (checker.mjs). An event:
//
//   kind      signUp, confirm, setPassword: writes; signIn, refresh: reads; revoke, disable: facts; list: the users of a Region;
//             verdict: whether a position is in a Region's history; promote, fault: what was done to the Regions
//   outcome   ok
//             refused      the server decided against it: wrong password, revoked token, nobody of that name
//             undone       it was not carried out, and nothing was changed: not the primary, durability out of reach
//             unknown      no answer, or one that leaves it open
//             setAside     the position that was asked for is not in the surviving history
//   region    where; start, end: milliseconds of the test's own clock
//   user      each belongs to one worker, which does one thing after the other for it
//   password  index of the user's password, counted from 0 at the sign-up
//   token     its name
//   position  x-symbolon-position of the answer; asked: of the request
//   final     after everything was healed, and the Regions were equal
import { writeFile } from 'node:fs/promises';

const changesNothing = new Set(['OperationNotEnabledException', 'DurabilityUnavailableException', 'ReplicaBehindException']);
const leavesOpen = new Set(['WriteUnconfirmedException']);

// An error of the SDK as an outcome.
export function outcomeOf(error) {
  const status = error.$metadata?.httpStatusCode;
  if (error.name === 'WriteSetAsideException') return 'setAside';
  if (changesNothing.has(error.name)) return 'undone';
  // Too many wrong passwords: says nothing about this one.
  if (error.message === 'Password attempts exceeded') return 'undone';
  // A Region whose clock is off tells the SDK so, which signs by that clock from then on.
  if (/^Signature (expired|not yet current)/.test(error.message)) return 'undone';
  // An answer that was cut off has a status, but not one of an error.
  if (status === undefined || status < 400 || status >= 500 || leavesOpen.has(error.name)) return 'unknown';
  return 'refused';
}

export class History {
  events = [];

  note(kind, fields) {
    const now = performance.now();
    this.events.push({ kind, outcome: 'ok', start: now, end: now, ...fields });
  }

  // Sends `command` by an SDK client, records what came of it, and returns the answer; undefined unless it is ok.
  async send(kind, client, command, { asked, ...fields }) {
    const event = { kind, ...fields, ...(asked && { asked }), start: performance.now() };
    let answer;
    try {
      const position = {};
      command.middlewareStack.add((next) => async (args) => {
        if (asked) args.request.headers['x-symbolon-position'] = asked;
        const result = await next(args);
        position.answered = result.response.headers['x-symbolon-position'];
        return result;
      }, { step: 'build', name: 'symbolonPosition' });
      answer = await client.send(command);
      event.outcome = 'ok';
      if (position.answered) event.position = position.answered;
    } catch (error) {
      event.outcome = outcomeOf(error);
      event.error = `${error.name}: ${error.message}`;
      const position = error.$response?.headers?.['x-symbolon-position'];
      if (position) event.position = position;
    }
    event.end = performance.now();
    this.events.push(event);
    return { answer, outcome: event.outcome, position: event.position };
  }

  async save(path) {
    await writeFile(path, this.events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  }
}
