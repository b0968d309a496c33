// Waiting for a condition, with a deadline. Tests never wait for a time to pass.
import { setTimeout as pause } from 'node:timers/promises';

const pollMs = 20;

// Calls `condition` until it returns something truthy, and returns that. Whatever it throws counts as "not yet" and is
// told when the deadline passes.
export async function until(what, condition, deadlineMs = 20_000) {
  const end = Date.now() + deadlineMs;
  let last;
  do {
    try {
      const value = await condition();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await pause(pollMs);
  } while (Date.now() < end);
  throw new Error(`not within ${deadlineMs} ms: ${what}`, { cause: last });
}

// Runs `work(index)` as many times side by side.
export async function inParallel(workers, work) {
  return Promise.all(Array.from({ length: workers }, (_, index) => work(index)));
}
