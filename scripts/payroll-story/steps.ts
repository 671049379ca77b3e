/** A command of the story, as it is printed and as it is run. */
export type Step = {
  /** Markdown before the command. */
  readonly text: string;
  /** For `sh`, in the folder of the story. */
  readonly command: string;
  readonly exitCode: number;
};

export const intro = `# A payroll, step by step

500 people are paid from a CSV file in which 7 rows are wrong. The file is run, run again, re-saved
by a spreadsheet program, corrected, and run by a program without a terminal. Every person is paid
once.

\`npm run docs:payroll\` runs each command below with a server of its own and writes this page
with what they printed. Ids are replaced by numbered ones.`;

const run = 'wallet batch run payroll.csv --batch-id payroll-2026-11';
const program = `mkdir scheduler && env -i PATH="$PATH" HOME="$PWD/scheduler" \\
  WALLET_SERVER="$WALLET_SERVER" WALLET_TOKEN="$(cat payroll.key)"`;

export const steps: readonly Step[] = [
  {
    text: `## The file

One row for each person. An operator runs it, so each row names its user.`,
    command: 'head -n 4 payroll.csv; wc -l < payroll.csv',
    exitCode: 0,
  },
  {
    text: `## Check it

A dry run lets the server check every row and changes nothing. Exit code 3: some rows are wrong.`,
    command: `${run} --dry-run`,
    exitCode: 3,
  },
  {
    text: 'The results say which rows, and why.',
    command: 'grep -v ,done, payroll.csv.dry-run.csv',
    exitCode: 0,
  },
  {
    text: `## Run it

Rows that are right are paid. The wrong ones can be corrected later.`,
    command: `${run} --yes`,
    exitCode: 3,
  },
  {
    text: `## Run it again

The batch id names this payroll. The key of a row is made from it and from what the row pays, so a
row that was paid is not paid again.`,
    command: `${run} --yes`,
    exitCode: 3,
  },
  {
    text: `## Re-save it

A spreadsheet program writes the file anew: other quotes, other line ends, amounts without their
zeros. The rows pay the same, so nothing is paid again.`,
    command: `soffice --headless --convert-to ods payroll.csv > /dev/null 2>&1
soffice --headless --convert-to csv --outdir resaved payroll.ods > /dev/null 2>&1
cmp -s payroll.csv resaved/payroll.csv && echo the same bytes
cp resaved/payroll.csv payroll.csv && ${run} --yes`,
    exitCode: 3,
  },
  {
    text: `## Correct it

\`corrected.csv\` has the right values in those 7 rows. Only they are paid.`,
    command: `cp corrected.csv payroll.csv && ${run} --yes`,
    exitCode: 0,
  },
  {
    text: `## Run it from a program

A scheduler has no terminal and no keychain. It gets an API key that can do no more than this; the
scope \`users:read\` is for rows that name users by their addresses.`,
    command: `wallet api-keys create --name payroll --scope transactions:write \\
  --scope users:read --operation deposit --expires-in 90d --field secret > payroll.key`,
    exitCode: 0,
  },
  {
    text: 'Its home is another one, with no session and no record of this batch.',
    command: `${program} \\
  ${run} --yes`,
    exitCode: 0,
  },
  {
    text: `## Check what was paid

Each person has one wallet with one transaction, of the amount of their row.`,
    command: `wallet wallets list --all --field seq,balance | sort > paid
cut -d, -f2 corrected.csv | tail -n +2 | sed "s/^/1$(printf '\\t')/" | sort | cmp - paid && wc -l < paid`,
    exitCode: 0,
  },
];
