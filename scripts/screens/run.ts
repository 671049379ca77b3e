import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { createWorld, expectCode, type Person } from '../../tests/support/processes/world.ts';
import { createPlaceholders } from '../guide/placeholders.ts';
import { installWallet } from '../guide/install-wallet.ts';
import { captureScreen, type Answer } from '../guide/terminal.ts';

type Screen = {
  readonly title: string;
  readonly command: string;
  readonly answers?: readonly Answer[];
};

const widths = [40, 80, 132];

const screens: readonly Screen[] = [
  { title: 'Transactions', command: 'wallet transactions list --user ana@example.com' },
  { title: 'Users', command: 'wallet users list' },
  { title: 'A statement', command: 'wallet statement show --user ana@example.com' },
  {
    title: 'The prompt of a batch',
    command: 'wallet batch run payroll.csv --batch-id payroll-2026-11',
    answers: [{ after: 'Run this batch?', keys: ['n', 'Enter'] }],
  },
  {
    title: 'The prompt of a transfer',
    command:
      'wallet transfer 25.00 --user ana@example.com --to bia@example.com --reference NF-1042',
    answers: [{ after: 'Transfer 25.00 BRL', keys: ['n', 'Enter'] }],
  },
  { title: 'Holds', command: 'wallet holds list --user bia@example.com' },
  {
    title: 'The prompt of a capture',
    command:
      'wallet capture --user bia@example.com "$(wallet holds list --user bia@example.com --limit 1 --quiet --field id)"',
    answers: [{ after: 'Capture', keys: ['n', 'Enter'] }],
  },
  { title: 'Spending limits', command: 'wallet limits show --user bia@example.com' },
  { title: 'Doctor', command: 'wallet doctor' },
];

const intro = `# What it looks like

Screens of the command line in terminals of 40, 80 and 132 columns. \`npm run docs:screens\` runs each command with a
server of its own and writes this page. Ids and times are replaced by fixed ones.`;

/** Runs each command in terminals of each width, and gives the screens as Markdown. */
export async function drawScreens(): Promise<string> {
  const world = await createWorld();
  try {
    await world.start({ LOG_LEVEL: 'warn' });
    const operator = await world.staff('operator', 'operator');
    for (const name of ['ana', 'bia']) await create(operator, `${name}@example.com`);
    await fill(operator);
    await reserve(operator, await world.staff('admin', 'admin'));
    const home = operator.env['HOME'] ?? '';
    const variables = {
      ...operator.env,
      PATH: `${await installWallet(home)}:${process.env['PATH'] ?? ''}`,
      WALLET_SERVER: world.daemon().address,
      LC_ALL: 'C.UTF-8',
    };
    await writeFile(join(home, 'payroll.csv'), payroll);
    const placeholders = createPlaceholders(Date.now());
    const texts = [intro];
    for (const { title, command, answers } of screens) {
      texts.push(`## ${title}\n\n\`${command}\``);
      for (const columns of widths) {
        const options = { command, columns, variables, folder: home };
        const screen = await captureScreen(
          answers === undefined ? options : { ...options, answers },
        );
        const shown = wrap(withFixedValues(placeholders.apply(screen)), columns);
        texts.push(`${columns} columns:\n\n\`\`\`text\n${shown}\n\`\`\``);
      }
    }
    return `${texts.join('\n\n')}\n`;
  } finally {
    await world.dispose();
  }
}

/** Times of day, the port of the server and its folder differ from run to run. */
const withFixedValues = (screen: string): string =>
  screen
    .replace(/(\d{4}-\d\d-\d\d) \d\d:\d\d(:\d\d)?/g, (_all, day: string, seconds = '') =>
      seconds === '' ? `${day} 12:00` : `${day} 12:00:00`,
    )
    .replace(/\S+\/dw-world-\w+\/homes/g, '/home')
    .replace(/Node \d+\.\d+\.\d+/g, 'Node 20.20.2')
    .replace(/127\.0\.0\.1:\d{5}/g, '127.0.0.1:50051');

/** As the terminal does. */
const wrap = (screen: string, columns: number): string =>
  screen.replace(new RegExp(`(.{${columns}})(?=.)`, 'gu'), '$1\n').replace(/ +$/gm, '');

const payroll = `operation,amount,currency,user,description
deposit,4211.50,BRL,ana@example.com,salário de novembro
deposit,3980.00,BRL,bia@example.com,salário de novembro
deposit,120.00,USD,bia@example.com,travel allowance
`;

async function create(operator: Person, email: string): Promise<void> {
  const args = ['users', 'create', '--email', email, '--password-stdin'];
  expectCode(await operator.run(args, 'a long enough passphrase'), 0);
}

async function fill(operator: Person): Promise<void> {
  const ana = ['--user', 'ana@example.com', '--yes'];
  const moves = [
    ['deposit', '125000.00', '--description', 'opening balance from the old system'],
    ['withdraw', '1500.00', '--description', 'rent'],
    ['purchase', '89.90', '--merchant', 'Bookshop on the corner', '--description', 'two books'],
    ['purchase', '7.25', '--merchant', 'Café'],
  ];
  for (const move of moves) expectCode(await operator.run([...move, ...ana]), 0);
}

async function reserve(operator: Person, admin: Person): Promise<void> {
  const bia = ['--user', 'bia@example.com', '--yes'];
  const moves = [
    ['deposit', '500.00'],
    ['hold', '120.00', '--merchant', 'Bike Rental', '--expires-in', '2d'],
    ['hold', '35.50', '--via', 'itau', '--expires-in', '7d', '--reference', 'NF-1042'],
  ];
  for (const move of moves) expectCode(await operator.run([...move, ...bia]), 0);
  const limits = ['--per-transaction', '200.00', '--per-day', '300.00', '--rolling', '24h=400.00'];
  expectCode(await admin.run(['limits', 'set', ...limits, ...bia]), 0);
}
