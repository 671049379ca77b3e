import type { Command } from 'commander';

/** What a command's help says below its options. */
export type HelpNotes = {
  /** Command lines, as they are typed. */
  readonly examples: readonly string[];
  /** Everything else. */
  readonly notes: string;
};

const examplesTitle = 'Examples:';

/** Reads the examples and notes of a command's help. Writes nothing. */
export function readHelpNotes(command: Command): HelpNotes {
  const lines = readTextAfterHelp(command).split('\n');
  const start = lines.indexOf(examplesTitle);
  if (start === -1) return { examples: [], notes: lines.join('\n').trim() };
  const length = lines.slice(start + 1).findIndex((line) => !line.startsWith('  '));
  const end = length === -1 ? lines.length : start + 1 + length;
  return {
    examples: lines.slice(start + 1, end).map((line) => line.trim()),
    notes: [...lines.slice(0, start), ...lines.slice(end)].join('\n').trim(),
  };
}

/** Gives each group the first example of each of its commands. */
export function addGroupExamples(program: Command): void {
  for (const group of program.commands.filter(({ commands }) => commands.length > 0)) {
    addGroupExamples(group);
    // Read when the help is shown: that takes longer than to parse most command lines.
    group.addHelpText('after', () => {
      const firsts = group.commands.flatMap((each) => readHelpNotes(each).examples.slice(0, 1));
      return ['', examplesTitle, ...firsts.map((example) => `  ${example}`)].join('\n');
    });
  }
}

function readTextAfterHelp(command: Command): string {
  const written: string[] = [];
  const output = command.configureOutput();
  command.configureOutput({ ...output, writeOut: (text) => written.push(text) });
  try {
    command.outputHelp();
  } finally {
    command.configureOutput(output);
  }
  // The library writes its own part in one text, before what was added.
  return written.slice(1).join('');
}
