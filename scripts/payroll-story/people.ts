import { AuthServiceService, Role } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { connect, type Answer } from '../../tests/support/grpc/client.ts';

export type Payee = { readonly email: string; readonly amount: string };

/** Whole cents that differ from person to person, so that a wrong payment shows. */
export const listPayees = (count: number): readonly Payee[] =>
  Array.from({ length: count }, (_, i) => ({
    email: `employee${String(i + 1).padStart(3, '0')}@example.com`,
    amount: `${2_000 + ((i * 37) % 3_000)}.${String((i * 13) % 100).padStart(2, '0')}`,
  }));

/** Makes an account for each payee, as an operator does; at most eight at a time. */
export async function createPayees(
  address: string,
  operator: { readonly email: string; readonly password: string },
  payees: readonly Payee[],
): Promise<void> {
  const connection = connect(address);
  const open = <Res>(answer: Answer<Res>): Res => {
    if (!answer.ok) throw new Error(`refused: ${answer.reason}`);
    return answer.value;
  };
  try {
    const request = { ...operator, client: 'payroll story', deviceToken: '' };
    const signedIn = open(await connection.call(AuthServiceService.signIn, request));
    const token = signedIn.tokens?.accessToken ?? '';
    const left = [...payees];
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const { email } = next;
        const created = { email, password: operator.password, role: Role.CUSTOMER };
        open(await connection.call(AuthServiceService.createUser, created, token));
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
  } finally {
    connection.close();
  }
}
