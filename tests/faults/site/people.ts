import type { Role } from '../../../core/roles.ts';
import { runWalletd, type Environment } from '../../../scripts/product.ts';
import { createMint } from '../../access-matrix/forgeries.ts';
import { signUp } from '../../support/broker/producer.ts';
import { queryService } from '../../support/ledger/ledger.ts';
import { expectCode, password } from '../../support/processes/world.ts';

export type Person = { readonly id: string; readonly token: string };

/** Customers who signed up and an operator, with tokens that outlive the run. */
export async function createPeople(
  address: string,
  env: Environment,
  dataDir: string,
  customerCount: number,
): Promise<{ customers: Person[]; operator: Person }> {
  const mint = await createMint(dataDir);
  const tokenOf = async (id: string, role: Role): Promise<Person> => ({
    id,
    token: await mint.signIn(id, role),
  });
  const customers: Person[] = [];
  for (let i = 0; i < customerCount; i += 1) {
    const { id } = await signUp(address, nameOfCustomer(i));
    customers.push(await tokenOf(id, 'customer'));
  }
  const args = ['users', 'create', '--email', 'operator@example.com', '--role', 'operator'];
  expectCode(await runWalletd(args, { env, input: password }), 0);
  const [row] = await queryService<{ id: string }>(
    dataDir,
    'auth',
    "SELECT id FROM users WHERE role = 'operator'",
  );
  const operator = await tokenOf(row?.id ?? '', 'operator');
  await mint.close();
  return { customers, operator };
}

/** Of the e-mail address with which the customer with this number can sign in. */
export const nameOfCustomer = (i: number): string => `customer${i}`;
