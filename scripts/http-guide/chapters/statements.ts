import type { Chapter } from '../chapter.ts';

const bearer = '-H "Authorization: Bearer $TOKEN"';

export const statements: Chapter = {
  title: 'Statements and exports',
  text: `A statement has an opening balance, lines, totals and a closing balance. Without \`from\`
and \`to\` it has the last 15 days. \`status\` is \`complete\`, or \`incomplete\` while lines of
recent transactions are being written (\`behindBy\` says how many), or \`inconsistent\` if lines
and ledger contradict each other. Never show a statement as complete that does not say so.`,
  steps: [
    {
      before: (site) => site.waitForLines(),
      command: `curl -i "$WALLET/v1/statements" ${bearer}`,
      status: 200,
    },
    {
      text: 'The same as CSV, or as a journal for hledger. The header `Statement-Status` has the status.',
      command: `curl -i "$WALLET/v1/statements" ${bearer} -H 'Accept: text/csv'`,
      status: 200,
    },
    {
      text: 'Lines are found by a value in their metadata. `status` says whether some may be missing.',
      command: `curl -i "$WALLET/v1/statements/search?key=reference&value=RMA-88" ${bearer}`,
      status: 200,
    },
    {
      text: `A range of more than 15 days is written to a file in the background: the answer is 202
with the export. An export can also be requested by itself. \`Idempotency-Key\` is optional here.`,
      command: `curl -i "$WALLET/v1/exports" ${bearer} \\
  -H 'Idempotency-Key: "statement-2026"' --json '{"currency":"BRL","to":"'$TODAY'","format":"csv"}'`,
      status: 201,
      keep: { EXPORT_ID: 'id' },
    },
    {
      text: `\`wait\` holds the request for up to 30 seconds, until the export is finished. 200
means finished, and \`status\` says how; 202 with \`Retry-After\` means: ask again. \`Prefer:
wait=30\` does the same.`,
      command: `curl -i "$WALLET/v1/exports/$EXPORT_ID?wait=30" ${bearer}`,
      status: 200,
    },
    {
      text: 'The file. `ETag` is its SHA-256, so that you can verify what you have.',
      command: `curl -i "$WALLET/v1/exports/$EXPORT_ID/file" ${bearer}`,
      status: 200,
    },
    {
      text: 'A download that was interrupted continues with a range (`curl -C -`):',
      command: `curl -i "$WALLET/v1/exports/$EXPORT_ID/file" ${bearer} -H 'Range: bytes=0-15'`,
      status: 206,
    },
    { command: `curl -i "$WALLET/v1/exports?limit=1" ${bearer}`, status: 200 },
  ],
};

export const events: Chapter = {
  title: 'Live events',
  text: `Server-sent events, for the wallets of the caller or of the users that staff name (at most
50 wallets). Browsers read them with \`EventSource\` under the session cookie; programs read lines.
The stream stays open; here \`--max-time\` ends it, with curl's exit code 28. The first event has
no data but a cursor: an empty start means "from now on".`,
  steps: [
    {
      before: (site) => site.waitForLines(),
      command: `curl -s -N --max-time 2 "$WALLET/v1/events" ${bearer}`,
      exitCode: 28,
      keep: { CURSOR: 'id:' },
    },
    {
      text: 'Meanwhile something happens:',
      command: `curl -i "$WALLET/v1/transactions" ${bearer} \\
  -H 'Idempotency-Key: "while-away"' --json '{"operation":"withdraw","amount":"20.00"}'`,
      status: 201,
      isSilent: true,
    },
    {
      text: `\`Last-Event-ID\` resumes after the last event that you have processed, at any
gateway, without a gap. \`EventSource\` sends it by itself.`,
      before: (site) => site.waitForLines(),
      command: `curl -s -N --max-time 2 "$WALLET/v1/events" ${bearer} -H "Last-Event-ID: $CURSOR"`,
      exitCode: 28,
    },
  ],
  end: `An event \`line\` is a line of the statement, in the order of \`seq\` within its wallet. A
comment every 15 seconds shows that the stream lives. An event \`problem\` is the last one: its
\`reason\` says whether to connect again (\`SHUTTING_DOWN\`, \`OVERLOADED\`) or to sign in again
(\`TOKEN_EXPIRED\`, \`TOKEN_REVOKED\`). For events of all wallets, without polling, use RabbitMQ:
[events.md](events.md).`,
};
