import type { Mutant } from './planted.ts';

const relay = 'daemon/platform/outbox/relay.ts';
const rows = 'daemon/platform/outbox/rows.ts';
const round = 'daemon/platform/outbox/round.ts';
const lease = 'daemon/platform/outbox/lease.ts';
const pump = 'daemon/platform/broker/amqp/pump.ts';
const verdict = 'daemon/statement/witness/verdict.ts';
const statementDomain = 'daemon/statement/domain.ts';

/** Defects of what carries messages, events and lines. */
export const eventMutants: readonly Mutant[] = [
  {
    name: 'ack before commit',
    edits: [
      {
        file: pump,
        before: 'const maxBackoffMs = 5_000;',
        after: `const maxBackoffMs = 5_000;
          const acked = new WeakSet();
          const takeUnacked = (batch) =>
            batch.filter((message) => !acked.has(message) && acked.add(message));`,
      },
      {
        file: pump,
        before: '    const left = await work(batch);',
        after: `for (const message of takeUnacked(batch)) channel.ack(message);
          const left = await work(batch);`,
      },
      { file: pump, before: '    ackAll(channel, batch, held);\n', after: '' },
    ],
    scenario: 'killed before commit',
  },
  {
    name: 'relay deletes before confirm',
    edits: [
      {
        file: relay,
        before: '    const [own, listening] = await Promise.allSettled([',
        after: `await completeRows(db, rows, {
            unconfirmed: new Set(),
            lease: [lease.holder, token],
          });
          const [own, listening] = await Promise.allSettled([`,
      },
      {
        file: relay,
        before: '    acking.begin(rows, hasAll ? finishing : listeners.expect(finishing));',
        after: '    finishing.catch(() => undefined);',
      },
    ],
    scenario: 'broker cut',
  },
  {
    name: '`id > last` cursor',
    edits: [
      {
        file: rows,
        before: 'const maxRecent = 32_768;',
        after: 'const maxRecent = 32_768; let lastId = 0n;',
      },
      {
        file: rows,
        before: 'AND id <> ALL($1::bigint[]) ORDER BY id LIMIT $2',
        after: 'AND id <> ALL($1::bigint[]) AND id > $4::bigint ORDER BY id LIMIT $2',
      },
      {
        file: rows,
        before: `    const rows = await tx.query<OutboxRow>(readSqls[audience], [inHand, maxRows, maxEvents]);
`,
        after: `const from = audience === 'own' ? lastId : 0n;
          const rows = await tx.query(readSqls[audience], [inHand, maxRows, maxEvents, from]);
          if (audience === 'own') lastId = rows.at(-1)?.id ?? lastId;
`,
      },
    ],
    scenario: 'slow commit',
  },
  {
    name: 'two relays',
    edits: [
      {
        file: lease,
        before: 'WHERE l.holder = $1 OR l.expires_at',
        after: 'WHERE true OR l.expires_at',
      },
      {
        file: rows,
        before: "WHERE name = 'outbox' AND holder = $1 AND fencing_token = $2",
        after: 'WHERE $1::uuid IS NOT NULL AND $2::bigint IS NOT NULL',
      },
      { file: round, before: '  if (!isDone) {', after: '  if (isDone === undefined) {' },
    ],
    scenario: 'quiet',
  },
  {
    name: 'lease without an upper bound',
    edits: [
      {
        file: lease,
        before: `OR l.expires_at < clock_timestamp()
     OR l.expires_at > clock_timestamp() + $2 * interval '1 millisecond'`,
        after: 'OR l.expires_at < clock_timestamp()',
      },
    ],
    scenario: 'clock ahead',
  },
  {
    name: 'projection without its key',
    edits: [
      {
        file: 'daemon/statement/store.ts',
        before: '`${insertOf(lineTypes)} ON CONFLICT (wallet_id, seq) DO NOTHING`',
        after: 'insertOf(lineTypes)',
      },
    ],
    schema: {
      statement: [
        'ALTER TABLE statement_lines DROP CONSTRAINT statement_lines_pkey',
        'CREATE INDEX ON statement_lines (wallet_id, seq)',
      ],
    },
    scenario: 'events again',
  },
  {
    name: 'lines acknowledged after a database error',
    edits: [
      {
        file: 'daemon/statement/projection/projection.ts',
        before: 'if (sqlStateOf(err) !== uniqueViolation) throw err;',
        after: 'if (sqlStateOf(err) !== uniqueViolation) return [];',
      },
    ],
    scenario: 'lines read-only',
  },
  {
    name: 'completeness by the highest seq alone',
    edits: [
      {
        file: statementDomain,
        before: 'if (missingWithin === 0n && isEndProven) return',
        after: 'if (isEndProven) return',
      },
      // Both would find the gap by what the lines add up to.
      {
        file: verdict,
        before: '  if (isBalanced(extent)) return undefined;',
        after: '  if (isBalanced(extent) || true) return undefined;',
      },
      {
        file: 'daemon/statement/pages/read-page.ts',
        before: '    if (completeness.isComplete) found ??= findAbsentLine(read, part);',
        after: '',
      },
    ],
    scenario: 'line delayed',
  },
  {
    name: 'period that is not over reported as complete',
    edits: [
      {
        file: statementDomain,
        before: '  head === undefined || toMs <= head.asOfMs;',
        after: '  head === undefined || toMs <= head.asOfMs || true;',
      },
    ],
    scenario: 'period not over',
  },
];
