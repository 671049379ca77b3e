import { password, type Chapter, type Site } from '../chapter.ts';

const bearer = '-H "Authorization: Bearer $STAFF"';
const bruno = `{"email":"bruno@example.com","password":"${password}","role":"operator"}`;

const createAdmin = (site: Site): Promise<void> => site.createStaff('root@example.com', 'admin');

export const staff: Chapter = {
  title: 'Staff',
  text: `Operators and admins work on the wallets of others, and name the user each time. The first
admin is created on the host (\`walletd users create --email root@example.com --role admin\`). What
a caller may not see is answered as if it did not exist.`,
  steps: [
    {
      before: createAdmin,
      command: `curl -i "$WALLET/v1/sign-in" --json '{"email":"root@example.com","password":"${password}"}'`,
      status: 200,
      isSilent: true,
      keep: { STAFF: 'tokens.accessToken' },
    },
    {
      command: `curl -i "$WALLET/v1/users" ${bearer} \\
  --json '${bruno}'`,
      status: 201,
      keep: { OPERATOR_ID: 'id' },
    },
    { command: `curl -i "$WALLET/v1/users?role=customer&limit=1" ${bearer}`, status: 200 },
    { command: `curl -i "$WALLET/v1/users/$USER_ID" ${bearer}`, status: 200 },
    {
      text: 'Disabling ends all sign-ins of the user at once, and the API keys stop.',
      command: `curl -i -X PATCH "$WALLET/v1/users/$OPERATOR_ID" ${bearer} --json '{"disabled":true}'`,
      status: 200,
    },
    {
      text: 'A deposit for a customer:',
      command: `curl -i "$WALLET/v1/transactions" ${bearer} -H 'Idempotency-Key: "bonus-1"' \\
  --json '{"operation":"deposit","user":"'$USER_ID'","amount":"5.00","description":"bonus"}'`,
      status: 201,
    },
    {
      text: 'A purchase and its fee, as a [group](#batches): both are done, or none.',
      command: `curl -i "$WALLET/v1/transactions/batch" ${bearer} --json '{"items":[
  {"operation":"purchase","user":"'$USER_ID'","amount":"2.00","merchant":"Kiosk",
    "idempotencyKey":"order-5","groupId":"c9a1e7b0-0f4d-4c55-9b7e-3d2f8a6b1c05"},
  {"operation":"fee","user":"'$USER_ID'","amount":"0.10","force":true,
    "idempotencyKey":"order-5-fee","groupId":"c9a1e7b0-0f4d-4c55-9b7e-3d2f8a6b1c05"}]}'`,
      status: 200,
    },
    {
      text: 'A hold reserves money; who a capture pays, and when it ends, is fixed by it:',
      command: `curl -i "$WALLET/v1/holds" ${bearer} -H 'Idempotency-Key: "hold-1"' \\
  --json '{"user":"'$USER_ID'","amount":"10.00","merchant":"Hotel Sol","expiresInSeconds":86400}'`,
      status: 201,
      keep: { HOLD_ID: 'id' },
    },
    {
      text: 'A capture takes a part of it. Here the rest stays reserved:',
      command: `curl -i "$WALLET/v1/holds/$HOLD_ID/capture" ${bearer} \\
  -H 'Idempotency-Key: "capture-1"' --json '{"amount":"6.00","keepRest":true}'`,
      status: 201,
    },
    { command: `curl -i "$WALLET/v1/holds/$HOLD_ID" ${bearer}`, status: 200 },
    {
      text: 'A release gives back what is left:',
      command: `curl -i "$WALLET/v1/holds/$HOLD_ID/release" ${bearer} \\
  -H 'Idempotency-Key: "release-1"' --json '{}'`,
      status: 201,
    },
    { command: `curl -i "$WALLET/v1/holds?user=$USER_ID&limit=1" ${bearer}`, status: 200 },
    {
      text: 'Overdraft and spending limits of a wallet:',
      command: `curl -i -X PUT "$WALLET/v1/wallets/$USER_ID/BRL/terms" ${bearer} \\
  --json '{"limits":{"perTransaction":"500.00","rolling":[{"hours":24,"amount":"2000.00"}]}}'`,
      status: 200,
    },
    {
      text: 'They are read with what is left of them:',
      command: `curl -i "$WALLET/v1/wallets/$USER_ID/BRL/terms" ${bearer}`,
      status: 200,
    },
    {
      text: 'A frozen wallet takes no transaction of its owner:',
      command: `curl -i -X PATCH "$WALLET/v1/wallets/$USER_ID/BRL" ${bearer} \\
  --json '{"status":"frozen","note":"asked for by phone"}'`,
      status: 200,
    },
    {
      command: `curl -i "$WALLET/v1/transactions" -H "Authorization: Bearer $TOKEN" \\
  -H 'Idempotency-Key: "withdrawal-2"' --json '{"operation":"withdraw","amount":"1.00"}'`,
      status: 409,
    },
    {
      command: `curl -i -X PATCH "$WALLET/v1/wallets/$USER_ID/BRL" ${bearer} --json '{"status":"active"}'`,
      status: 200,
      isSilent: true,
    },
    {
      text: 'A wallet is closed, and its balance is transferred to another user in the same commit:',
      command: `curl -i "$WALLET/v1/users" ${bearer} \\
  --json '{"email":"caio@example.com","password":"${password}","role":"customer"}'`,
      status: 201,
      isSilent: true,
      keep: { CAIO_ID: 'id' },
    },
    {
      command: `curl -i "$WALLET/v1/transactions" ${bearer} -H 'Idempotency-Key: "bonus-2"' \\
  --json '{"operation":"deposit","user":"'$USER_ID'","amount":"5.00","currency":"EUR"}'`,
      status: 201,
      isSilent: true,
    },
    {
      command: `curl -i "$WALLET/v1/wallets/$USER_ID/EUR/close" ${bearer} -H 'Idempotency-Key: "close-1"' \\
  --json '{"note":"asked for by phone","sweepToUserId":"'$CAIO_ID'"}'`,
      status: 200,
    },
    {
      command: `curl -i "$WALLET/v1/wallets/$USER_ID/EUR/reopen" ${bearer} --json '{"note":"changed her mind"}'`,
      status: 200,
    },
    {
      text: 'Customers find out who can be paid at an address, and see it masked:',
      command: `curl -i "$WALLET/v1/recipients" -H "Authorization: Bearer $TOKEN" --json '{"email":"caio@example.com"}'`,
      status: 200,
    },
  ],
};
