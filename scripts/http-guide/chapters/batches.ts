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
  ],
};
