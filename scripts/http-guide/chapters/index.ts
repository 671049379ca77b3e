import type { Chapter } from '../chapter.ts';
import { batches } from './batches.ts';
import { cookies } from './cookies.ts';
import { mail, problems, signOut } from './ends.ts';
import { events, statements } from './statements.ts';
import { keys, signIn, start } from './sign-in.ts';
import { money, reading } from './money.ts';
import { staff } from './staff.ts';

export const intro = `# HTTP by example

Every route of the gateway, called with \`curl\`. The commands and answers on this page are real:
\`npm run docs:http\` starts a daemon, runs each command as it is printed, and writes the page.
Only what differs from run to run is replaced: ids are numbered in the order in which they occur,
times keep their distance, and \`<…>\` stands for a secret. JSON is printed with a member on each
line; headers that every answer has are printed once.

The same routes as a reference, to try out in the browser: \`/docs\` of a running daemon, from
[openapi.json](openapi.json). Reasons of refusals: [errors.md](errors.md). Settings, proxies and
limits: [operations.md](operations.md#http). Clients of the system that this one takes after:
[original.md](original.md).

You need a daemon (\`npm start\`, or \`docker compose up\`) and curl 7.82 or newer, for \`--json\`.
In the shell:

\`\`\`sh
WALLET=http://127.0.0.1:3000
TODAY=$(date -u +%F)
\`\`\`

## In short

- **Credentials.** \`Authorization: Bearer TOKEN\`, with an access token (15 minutes) or an API key
  (up to a year). Use an API key in a program of yours. Browsers on the daemon's own origin use the
  [session cookie](#the-simple-api-with-a-cookie).
- **Money** is a decimal string with all decimals of its currency: \`"150.00"\`. Never calculate
  with floating point. A JSON number is accepted where an amount is sent, and refused if it has
  more than 15 digits.
- **Idempotency.** Every transaction has a key that you choose, once, before the first attempt. The
  same key again gives the same transaction, for ever. Without an answer send the same request
  again.
- **Refusals** are \`application/problem+json\` with a stable \`reason\`. Branch on \`reason\`, not
  on \`detail\`.
- **Lists** have \`items\`, and \`nextPageToken\` and a \`Link\` header while there are more.`;

export const chapters: readonly Chapter[] = [
  start,
  signIn,
  keys,
  money,
  reading,
  statements,
  events,
  batches,
  staff,
  cookies,
  problems,
  mail,
  signOut,
];
