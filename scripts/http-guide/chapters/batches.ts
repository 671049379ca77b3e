import type { Chapter } from '../chapter.ts';

const bearer = '-H "Authorization: Bearer $TOKEN"';

export const batches: Chapter = {
  title: 'Batches',
  text: `Up to 1,000 transactions, and 1 MiB, in one request. Each item has its own key, so that
the whole batch can be sent again. The answer is 200 with a result for each item, in order; a
refused item does not affect the others. So look at each \`status\`.`,
  steps: [
    {
      command: `curl -i "$WALLET/v1/transactions/batch" ${bearer} --json '{"items":[
  {"operation":"purchase","amount":"10.00","merchant":"Bookshop","idempotencyKey":"order-1"},
  {"operation":"purchase","amount":"9999.00","merchant":"Bookshop","idempotencyKey":"order-2"}]}'`,
      status: 200,
    },
    {
      text: 'As NDJSON: one item on each line of the request, one result on each line of the answer.',
      command: `cat > items.ndjson <<'END'
{"operation":"purchase","amount":"10.00","merchant":"Bookshop","idempotencyKey":"order-1"}
{"operation":"purchase","amount":"1.00","merchant":"Kiosk","idempotencyKey":"order-3"}
END
curl -i "$WALLET/v1/transactions/batch" ${bearer} \\
  -H 'Content-Type: application/x-ndjson' -H 'Accept: application/x-ndjson' --data-binary @items.ndjson`,
      status: 200,
    },
    {
      text: `**Groups.** Up to 16 items side by side with the same \`groupId\`, a UUID of your own,
happen together or not at all. If one is refused, none is done: the others have the reason
\`GROUP_ABORTED\`. The operation \`fee\` takes an amount from a wallet, and is possible in a group only
(alone too). Staff let an item pass spending limits, never what is available, with \`"force":true\`; a
reversal may then take the wallet below zero.`,
      command: `curl -i "$WALLET/v1/transactions/batch" ${bearer} --json '{"items":[
  {"operation":"purchase","amount":"9.00","merchant":"Kiosk","idempotencyKey":"order-4",
    "groupId":"7d1f0c52-4b7e-4c0b-8a53-0e7d6c1b2a94"},
  {"operation":"deposit","amount":"1.00","idempotencyKey":"cashback-4",
    "groupId":"7d1f0c52-4b7e-4c0b-8a53-0e7d6c1b2a94"}]}'`,
      status: 200,
    },
  ],
};
