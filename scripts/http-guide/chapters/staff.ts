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
  ],
};
