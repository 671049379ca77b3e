import type { Payee } from './people.ts';

const head = 'operation,amount,currency,user,description';

/** A payroll of one row for each payee. */
export const formatPayroll = (payees: readonly Payee[]): string =>
  toFile(payees.map(({ email, amount }) => toRow('deposit', amount, 'BRL', email)));

/** What is wrong in a row, and what stands there instead. */
const mistakes: readonly ((payee: Payee) => string)[] = [
  ({ amount, email }) => toRow('depsit', amount, 'BRL', email),
  ({ email }) => toRow('deposit', '', 'BRL', email),
  ({ email, amount }) => toRow('deposit', `${amount}5`, 'BRL', email),
  ({ email }) => toRow('deposit', '0.00', 'BRL', email),
  ({ email, amount }) => toRow('deposit', amount, 'BRR', email),
  ({ email, amount }) => toRow('deposit', amount, 'BRL', email.replace('example', 'exmaple')),
  ({ amount }) => toRow('deposit', amount, 'BRL', ''),
];

/** The same with one mistake of each kind, spread over the file. */
export function formatFaultyPayroll(payees: readonly Payee[]): string {
  const stepRows = Math.floor(payees.length / mistakes.length);
  return toFile(
    payees.map((payee, i) => {
      const mistake = i % stepRows === stepRows - 1 ? mistakes[(i + 1) / stepRows - 1] : undefined;
      return mistake?.(payee) ?? toRow('deposit', payee.amount, 'BRL', payee.email);
    }),
  );
}

const toRow = (operation: string, amount: string, currency: string, user: string): string =>
  `${operation},${amount},${currency},${user},salário de novembro`;

const toFile = (rows: readonly string[]): string => `${[head, ...rows].join('\n')}\n`;
