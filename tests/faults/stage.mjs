// Three Regions far from each other with a pool in all of them, and loads under which something happens to them.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { check, checkOneWriter, summary } from '../lib/checker.mjs';
import { FarLab } from '../lib/far_lab.mjs';
import { History } from '../lib/history.mjs';
import { farAway } from '../lib/network.mjs';
import { createClient } from '../lib/pools.mjs';
import { Load, seededRandom } from '../lib/recorded_load.mjs';
import { ask, createReplicatedPool, untilEqual, verifyCopies } from '../lib/replicas.mjs';

const rounds = Number(process.env.SYMBOLON_TEST_ROUNDS ?? 1);
const logLinesShown = 40;
const refusals = new Set(['InvalidParameterException', 'ResourceNotFoundException']);

export class Stage {
  names = ['eu-central-1', 'us-east-1', 'ap-south-1'];
  seed = Number(process.env.SYMBOLON_TEST_SEED ?? Math.floor(Math.random() * 1e6));
  #loads = 0;
  #rules = [check];

  // As FarLab has them. With `etcd` no two Regions may answer writes in one time.
  static async set({ path = farAway, settings, etcd } = {}) {
    const stage = new Stage();
    const { names, seed } = stage;
    if (etcd) stage.#rules.push(checkOneWriter);
    stage.lab = await FarLab.start(names, { path: { ...path, seed }, settings, etcd });
    stage.pool = await createReplicatedPool(stage.lab, { AutoVerifiedAttributes: [] }, { replicas: names.slice(1) });
    stage.client = await createClient(stage.lab.cognito(), stage.pool.Id);
    stage.primary = await untilEqual(stage.lab, stage.pool.Id);
    return stage;
  }

  strike() {
    return this.lab.release();
  }

  // One load with what happens to the Regions under it, and the check of what it was told; again for each round. `happen`
  // gets the load, the history and seeded random numbers, and leaves every Region running and every link whole. With
  // `judged`, writes may be set aside. `alive`: the Regions that are there at the end. `workers`: of the load.
  async under(t, happen, { judged = false, alive = this.names, workers, repeat = rounds } = {}) {
    for (let round = 0; round < repeat; ++round) await this.#once(t, happen, { judged, alive, workers });
  }

  async #once(t, happen, { judged, alive, workers }) {
    const { lab, pool, client } = this;
    const history = new History();
    const name = `load-${++this.#loads}`;
    const seed = this.seed + this.#loads;
    const load = new Load({ lab, pool, client, history, name, seed, workers });
    const kept = join(tmpdir(), `symbolon-faults-${process.pid}-${name}.jsonl`);
    try {
      await load.further(40);
      await happen({ load, history, random: seededRandom(seed), note: (what, fields) => history.note('fault', { what, ...fields }) });
      if (!load.ended) await load.further(40);
      await load.end();
      this.primary = await untilEqual(lab, pool.Id, { regions: alive });
      load.regions = alive;
      // Exits with another status than 0 unless all Regions have the same records.
      await verifyCopies(lab, pool.Id);
      if (judged) await load.judge();
      await load.audit();
      assert.deepEqual(this.#rules.flatMap((rule) => rule(history.events, alive)), []);
      t.diagnostic(`seed ${this.seed}: ${JSON.stringify(summary(history.events))}`);
      if (process.env.SYMBOLON_TEST_KEEP) await history.save(kept);
    } catch (error) {
      await history.save(kept);
      console.log(`seed ${this.seed}; the history is in ${kept}`);
      for (const region of this.names) {
        // Refused writes are many, and in the history.
        const lines = (await lab.log(region)).split('\n').filter((line) => !line.includes(' was not committed: '));
        console.log(`${region}: ${lines.slice(-logLinesShown).join('\n')}`);
      }
      throw error;
    } finally {
      await load.end().catch(() => {});
    }
  }

  // The Regions that were silent. What a forced promotion may have begun is recorded however it ends.
  async promote(history, to, { at = to, ...options } = {}) {
    const fields = { region: to, forced: Boolean(options.Force) };
    try {
      const input = { UserPoolId: this.pool.Id, RegionName: to, ...options };
      const { Epoch, FirstSequence, SilentRegions } = await ask(this.lab, at, 'PromoteUserPoolReplica', input);
      history.note('promote', { ...fields, epoch: Epoch, firstSequence: FirstSequence });
      return SilentRegions.map(({ Region }) => Region);
    } catch (error) {
      const outcome = refusals.has(error.name) ? 'refused' : 'unknown';
      history.note('promote', { ...fields, outcome, error: `${error.name}: ${error.message}` });
      throw error;
    }
  }
}
