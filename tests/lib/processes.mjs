// Processes that are stopped, as by a debugger or a machine that stands still.
import { readdir, readFile } from 'node:fs/promises';
import { until } from './wait.mjs';

// SIGSTOP. A signal stops the thread that takes it first, and the others when they hear of it: they may go on for
// milliseconds on a busy machine. All of them stand still when this returns.
export async function stopProcess(pid) {
  process.kill(pid, 'SIGSTOP');
  await until(`process ${pid} stands still`, async () => {
    const states = await Promise.all(
      (await readdir(`/proc/${pid}/task`)).map(async (thread) => {
        // "pid (name) state ...", where the name may hold anything.
        const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8');
        return stat.slice(stat.lastIndexOf(')') + 2)[0];
      }),
    );
    return states.every((state) => state === 'T');
  });
}
