import type { Environment } from '../../../scripts/product.ts';
import { readFinalRows } from '../../support/ledger/final-rows.ts';
import { checkAll } from '../checkers/check-all.ts';
import type { Violation } from '../checkers/violation.ts';
import { createRunRecord, type RunRecord } from '../record/record.ts';
import { createSite, type Node, type Person, type Site } from '../site.ts';
import { createClients, type Clients } from './clients.ts';
import { keepEmpty, resetDatabases, type SchemaChanges } from './databases.ts';
import { checkInternal, checkLog } from './extra-checkers.ts';
import { startEventListener, type EventListener } from './listener.ts';
import { waitForRest } from './rest.ts';

/** What a scenario works with. */
export type Stage = Clients & {
  readonly site: Site;
  readonly people: readonly Person[];
  readonly nodes: readonly [Node, Node];
  readonly record: RunRecord;
  readonly listener: EventListener;
  /** Starts a daemon again, with the build and the settings of this run, and these. */
  start(node: Node, extra?: Environment): Promise<void>;
};

/** A directed run: it causes what a defect has to show itself by. It ends with all faults ended. */
export type Scenario = (stage: Stage) => Promise<void>;

/** The build that runs: without a program the usual one. */
type Build = {
  readonly program?: string | undefined;
  readonly schema?: SchemaChanges | undefined;
};

export type Stages = {
  /** One run on empty databases and queues; gives what the checkers find. */
  run(scenario: Scenario, build: Build): Promise<readonly Violation[]>;
  dispose(): Promise<void>;
};

const customerCount = 12;
/** How long events and lines may take to come, on a slow machine too; and with a planted defect. */
const restMs = 60_000;
const restOfDefectMs = 15_000;

/** Postgres and RabbitMQ for all runs, one after the other. */
export async function createStages(): Promise<Stages> {
  const ended: string[] = [];
  const site = await createSite(customerCount, (node, code) =>
    ended.push(`the ${node} daemon ended by itself with ${String(code)}`),
  );
  const stopAll = (): Promise<unknown> => Promise.all(site.nodes.map((node) => node.kill()));
  await Promise.all(site.nodes.map((node) => node.stop()));
  await keepEmpty(site.dataDir);
  return {
    run: async (scenario, { program, schema = {} }) => {
      await site.clock.set(0);
      await resetDatabases(site.dataDir, schema);
      const vhost = await site.broker.createVhost();
      const url = site.broker.url(vhost);
      const from = site.nodes.map((node) => node.log().length);
      ended.length = 0;
      try {
        return await play(
          scenario,
          { ...site, vhost },
          program === undefined && Object.keys(schema).length === 0 ? restMs : restOfDefectMs,
          (node, extra = {}) => node.start({ RABBITMQ_URL: url, ...extra }, program),
          () => [
            ...ended.map((what) => ({ checker: 'log', what })),
            ...site.nodes.flatMap((node, i) => checkLog(node.name, node.log().slice(from[i]))),
          ],
        );
      } finally {
        await stopAll();
        await site.broker.ctl('delete_vhost', vhost);
      }
    },
    dispose: site.dispose,
  };
}

async function play(
  scenario: Scenario,
  site: Site,
  maxRestMs: number,
  start: Stage['start'],
  checkLogs: () => readonly Violation[],
): Promise<readonly Violation[]> {
  const record = createRunRecord();
  const { customers: people } = site;
  const [first, second] = site.nodes;
  const nodes = [recordKills(first, record), recordKills(second, record)] as const;
  for (const node of nodes) await start(node);
  const listener = await startEventListener(site.broker.url(site.vhost), record);
  try {
    const clients = createClients(site, record);
    await scenario({
      ...clients,
      site: { ...site, nodes },
      people,
      nodes,
      record,
      listener,
      start,
    });
    await waitForRest(site.dataDir, record, maxRestMs);
    const logs = checkLogs();
    const [history, rows] = [record.history(), await readFinalRows(site.dataDir)];
    return [...checkAll(history, rows), ...checkInternal(history, rows), ...logs];
  } finally {
    await listener.stop();
  }
}

/** Each kill is in the record as a fault, which ends when the daemon runs again. */
function recordKills(node: Node, record: RunRecord): Node {
  let endKill = (): void => undefined;
  return {
    ...node,
    kill: () => {
      endKill();
      endKill = record.beginFault('kills', node.name);
      return node.kill();
    },
    start: async (...settings) => {
      await node.start(...settings);
      endKill();
    },
  };
}
