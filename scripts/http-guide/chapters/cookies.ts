import { password, type Chapter } from '../chapter.ts';

const jar = '-b cookies.txt -c cookies.txt';
const carla = `"email":"carla@example.com","password":"${password}"`;

export const cookies: Chapter = {
  title: 'The simple API, with a cookie',
  text: `For clients of [the original](original.md), and for pages of the daemon's own origin: the
sign-in sets the cookie \`token\`, which no script can read. It lives for 30 days at most and 12
hours without use. Answers have \`status\` in their body; refusals also have \`error\`, and the
ledger's are 400 instead of 409. A request with the cookie must come from a page of this server,
under a name that it knows (\`HTTP_ALLOWED_HOSTS\`); a bearer token works here too.`,
  steps: [
    {
      command: `curl -i ${jar} "$WALLET/auth/sign-up" \\
  --json '{${carla},"confirmPassword":"${password}"}'`,
      status: 200,
    },
    { command: `curl -i ${jar} "$WALLET/auth/sign-in" --json '{${carla}}'`, status: 200 },
    { command: `curl -i ${jar} "$WALLET/auth/me"`, status: 200 },
    {
      text: '`operation` is a name or a number: 0 deposit, 1 withdraw, 2 purchase, 3 reversal, 4 cancellation.',
      command: `curl -i ${jar} "$WALLET/wallet/transaction" -H 'Idempotency-Key: "first"' \\
  --json '{"operation":0,"amount":159.99}'`,
      status: 201,
    },
    { command: `curl -i ${jar} "$WALLET/wallet/balance"`, status: 200 },
    { command: `curl -i ${jar} "$WALLET/wallet/transactions"`, status: 200 },
    {
      text: `\`maxDate\` is the first day of the statement. It waits a moment for the lines of
recent transactions.`,
      command: `curl -i ${jar} "$WALLET/statement/generate" --json '{"maxDate":"'$TODAY'"}'`,
      status: 200,
    },
    {
      text: 'From a day more than 15 days ago the answer is an export. It is mailed too, where the daemon sends mail.',
      command: `curl -i ${jar} "$WALLET/statement/generate" --json '{"maxDate":"2026-01-01"}'`,
      status: 200,
      keep: { EXPORT_ID: 'export.id' },
    },
    {
      text: '`/v1` accepts the cookie as well, so that `?wait=30` can wait for it:',
      command: `curl -i ${jar} "$WALLET/v1/exports/$EXPORT_ID?wait=30"`,
      status: 200,
      isSilent: true,
    },
    { command: `curl -i ${jar} "$WALLET/statement/exports/$EXPORT_ID"`, status: 200 },
    { command: `curl -i ${jar} "$WALLET/statement/exports/$EXPORT_ID/file"`, status: 200 },
    {
      text: 'Any request keeps the session; this one does nothing else:',
      command: `curl -i ${jar} -X POST "$WALLET/auth/refresh"`,
      status: 200,
    },
    { command: `curl -i ${jar} -X POST "$WALLET/auth/sign-out"`, status: 200 },
    { text: 'Afterwards:', command: `curl -i ${jar} "$WALLET/wallet/balance"`, status: 401 },
  ],
};
