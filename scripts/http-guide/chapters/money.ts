import type { Chapter } from '../chapter.ts';

const bearer = '-H "Authorization: Bearer $TOKEN"';

export const money: Chapter = {
  title: 'Move money safely',
  text: `\`Idempotency-Key\` is required: a text of your own with up to 255 characters, in
quotation marks as [the
draft](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/) has it, or
without. Store it with your decision to pay, before the first attempt. The transaction is durable
when the answer arrives.`,
  steps: [
    {
      command: `curl -i "$WALLET/v1/transactions" ${bearer} \\
  -H 'Idempotency-Key: "invoice-17"' \\
  --json '{"operation":"deposit","amount":"150.00","currency":"BRL","description":"Invoice 17"}'`,
      status: 201,
      keep: { DEPOSIT_ID: 'id', PAID_AT: 'occurredAt' },
    },
    {
      text: `No answer, a time-out, a \`503\`, or \`504\` with \`"outcome": "unknown"\`: send **the
same request with the same key**. If the first one was done, the answer is 200 with
\`Idempotency-Replayed: true\`, and nothing is done twice. Two at the same time are safe too: one
waits for the other.`,
      command: `curl -i "$WALLET/v1/transactions" ${bearer} \\
  -H 'Idempotency-Key: "invoice-17"' \\
  --json '{"operation":"deposit","amount":"150.00","currency":"BRL","description":"Invoice 17"}'`,
      status: 200,
    },
    {
      text: 'The same key with another operation, amount, parent, merchant, `toUserId` or `via` is a mistake of the client:',
      command: `curl -i "$WALLET/v1/transactions" ${bearer} \\
  -H 'Idempotency-Key: "invoice-17"' \\
  --json '{"operation":"deposit","amount":"15.00","currency":"BRL"}'`,
      status: 422,
    },
    {
      text: 'So is no key:',
      command: `curl -i "$WALLET/v1/transactions" ${bearer} --json '{"operation":"deposit","amount":"15.00"}'`,
      status: 400,
    },
    {
      text: 'To find out what became of a key, without doing anything:',
      command: `curl -i "$WALLET/v1/transactions/by-key/invoice-17" ${bearer}`,
      status: 200,
    },
    {
      text: 'A refusal of the ledger is 409, and leaves the key free: the same request may succeed later.',
      command: `curl -i "$WALLET/v1/transactions" ${bearer} \\
  -H 'Idempotency-Key: "withdrawal-1"' --json '{"operation":"withdraw","amount":"1000.00"}'`,
      status: 409,
    },
    {
      text: '`dryRun` decides and changes nothing:',
      command: `curl -i "$WALLET/v1/transactions" ${bearer} \\
  -H 'Idempotency-Key: "withdrawal-1"' --json '{"operation":"withdraw","amount":"20.00","dryRun":true}'`,
      status: 200,
    },
    {
      text: 'A purchase, with the API key:',
      command: `curl -i "$WALLET/v1/transactions" -H "Authorization: Bearer $API_KEY" \\
  -H 'Idempotency-Key: "order-4711"' --json '{"operation":"purchase","amount":"35.50","merchant":"Bookshop"}'`,
      status: 201,
      keep: { PURCHASE_ID: 'id' },
    },
    {
      text: 'A part of it is given back, with a reference of the client and more about it:',
      command: `curl -i "$WALLET/v1/transactions" ${bearer} \\
  -H 'Idempotency-Key: "order-4711-part"' \\
  --json '{"operation":"cancellation","parentId":"'$PURCHASE_ID'","amount":"10.00","currency":"BRL",
    "reference":"RMA-88","metadata":{"order":"4711"}}'`,
      status: 201,
    },
    {
      text: `A \`cancellation\` gives a purchase back; a \`reversal\` undoes a deposit, withdraw,
purchase or transfer. \`parentId\` names it. Without an amount, all that is left of it is undone; with
\`amount\` and \`currency\`, that part. Parts can be undone until nothing is left, each under a key of its
own; more than is left is refused (\`UNDO_EXCEEDS_PARENT\`).`,
      command: `curl -i "$WALLET/v1/transactions" ${bearer} \\
  -H 'Idempotency-Key: "order-4711-cancelled"' \\
  --json '{"operation":"cancellation","parentId":"'$PURCHASE_ID'"}'`,
      status: 201,
    },
    {
      text: 'Amounts are exact. What does not fit the currency is refused, never rounded:',
      command: `curl -i "$WALLET/v1/transactions" ${bearer} \\
  -H 'Idempotency-Key: "too-fine"' --json '{"operation":"deposit","amount":"1.999"}'`,
      status: 400,
    },
  ],
};

export const reading: Chapter = {
  title: 'Read wallets and transactions',
  text: '`me` is the caller; staff write the id of a user instead.',
  steps: [
    { command: `curl -i "$WALLET/v1/wallets" ${bearer}`, status: 200 },
    { command: `curl -i "$WALLET/v1/wallets/me/BRL" ${bearer}`, status: 200 },
    {
      text: `The balance as of a time. What was reported up to a time never changes afterwards: no
later transaction gets an earlier time.`,
      command: `curl -i "$WALLET/v1/wallets/me/BRL?at=$PAID_AT" ${bearer}`,
      status: 200,
    },
    { command: `curl -i "$WALLET/v1/transactions/$DEPOSIT_ID" ${bearer}`, status: 200 },
    {
      text: `A page of a list, newest first. \`limit\` is at most 500, 50 if it is left out. While
there are more, \`nextPageToken\` and \`Link\` lead to the next page. A token belongs to its query:
change nothing else.`,
      command: `curl -i "$WALLET/v1/transactions?limit=2" ${bearer}`,
      status: 200,
      keep: { PAGE: 'nextPageToken' },
    },
    {
      command: `curl -i -G "$WALLET/v1/transactions" ${bearer} -d limit=2 --data-urlencode "pageToken=$PAGE"`,
      status: 200,
    },
  ],
};
