/** A command of the tour, as it is printed and as it is run. */
export type Step = {
  /** Markdown before the command. */
  readonly text: string;
  /** For `sh`, in the folder of the tour. */
  readonly command: string;
  readonly exitCode: number;
};

export const intro = `# A day of a shop

An admin of a bike rental works with the wallets of two customers, Ana and Leo: top-up, hold,
partial capture, refund of a part, transfer between users, a limit that is reached, statement with
holds, export, verification.

\`npm run docs:tour\` runs each command below with a server of its own and writes this page with
what they printed. Ids, times and checksums are replaced by fixed ones.`;

const ana = '--user ana@example.com';
const openHold = `"$(wallet holds list ${ana} --state open --field id)"`;
const lastCapture = `"$(wallet transactions list ${ana} --operation capture --limit 1 --field id)"`;

export const steps: readonly Step[] = [
  {
    text: `## Top-up

Ana pays 300.00 at her bank. \`--via\` names the account that the money comes from.`,
    command: `wallet deposit 300.00 ${ana} --via itau --reference TOP-UP-1 --yes`,
    exitCode: 0,
  },
  {
    text: `## Hold

She rents a bike. 120.00 are reserved for two days: they stay in her wallet, and cannot be spent.`,
    command: `wallet hold 120.00 ${ana} --merchant "Bike Rental" --expires-in 2d --yes`,
    exitCode: 0,
  },
  {
    text: 'The balance is what it was; less of it is available.',
    command: `wallet balance ${ana}`,
    exitCode: 0,
  },
  {
    text: 'Holds are listed by their end. One whose time is over reserves nothing any more.',
    command: `wallet holds list ${ana} --columns id,state,left,for`,
    exitCode: 0,
  },
  {
    text: `## Partial capture

The rental costs 95.00. A capture takes them, and releases the rest; with \`--keep-rest\` it would
stay reserved.`,
    command: `wallet capture ${openHold} ${ana} --amount 95.00 --yes`,
    exitCode: 0,
  },
  {
    text: 'Nothing is left of the hold, so that it cannot be captured again.',
    command: `wallet capture "$(wallet holds list ${ana} --field id)" ${ana} --amount 1.00 --yes`,
    exitCode: 6,
  },
  {
    text: `## Refund of a part

A lamp was broken: 15.00 of the 95.00 are refunded.`,
    command: `wallet cancel ${lastCapture} ${ana} --amount 15.00 --description "broken lamp" --yes`,
    exitCode: 0,
  },
  {
    text: `## Transfer

Ana pays Leo his share.`,
    command: `wallet transfer 40.00 ${ana} --to leo@example.com --description lunch --yes`,
    exitCode: 0,
  },
  {
    text: `## Limit

From now on her wallet may spend 200.00 a day. What was spent today counts: 95.00 captured and 40.00
transferred.`,
    command: `wallet limits set ${ana} --per-day 200.00 --note "asked for by phone" --yes`,
    exitCode: 0,
  },
  {
    text: 'So a withdrawal of 100.00 is refused. Exit code 6, and nothing has changed.',
    command: `wallet withdraw 100.00 ${ana} --yes`,
    exitCode: 6,
  },
  {
    text: 'What is left of the day can be withdrawn to the last cent.',
    command: `wallet withdraw 65.00 ${ana} --yes --quiet`,
    exitCode: 0,
  },
  {
    text: `## Statement

With \`--holds\` it has the lines that reserve money too.`,
    command: `wallet statement show ${ana} --holds --columns operation,debit,credit,balance,held,held_balance`,
    exitCode: 0,
  },
  {
    text: `## Export

The same as a file.`,
    command: `wallet statement export ${ana} --holds --file day.csv --quiet --field rows && cut -d, -f3- day.csv`,
    exitCode: 0,
  },
  {
    text: `## Verify

The server checks every entry: sums, order, hashes, holds, and the statement lines against the
ledger.`,
    command: 'wallet audit verify --json',
    exitCode: 0,
  },
];
