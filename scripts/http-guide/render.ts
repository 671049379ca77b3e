import type { Step } from './chapter.ts';

/** Every answer has them: the guide shows them once. */
const ofEveryAnswer: ReadonlySet<string> = new Set([
  ...['cache-control', 'connection', 'content-length', 'cross-origin-opener-policy', 'date'],
  ...['keep-alive', 'permissions-policy', 'referrer-policy', 'transfer-encoding', 'vary'],
  ...['x-content-type-options', 'x-request-id'],
]);
/** Differ from run to run, or between versions of Node. */
const neverShown: ReadonlySet<string> = new Set(['connection', 'date', 'keep-alive']);

export type HttpAnswer = {
  readonly status: number;
  /** The status line and the headers, as they came. */
  readonly head: readonly string[];
  readonly body: string;
};

/** The output of `curl --include`; undefined for another output. */
export function readAnswer(output: string): HttpAnswer | undefined {
  const at = output.indexOf('\r\n\r\n');
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(output)?.[1];
  if (at < 0 || status === undefined) return undefined;
  const head = output.slice(0, at).split('\r\n');
  return { status: Number(status), head, body: output.slice(at + 4) };
}

/** A command and its output, as Markdown; `replace` is for what is shown of the output. */
export function renderStep(
  step: Step,
  output: string,
  { hasAllHeaders, replace }: { hasAllHeaders: boolean; replace: (text: string) => string },
): string {
  const { text, command, keep = {}, isSilent } = step;
  const parts = [...(text === undefined ? [] : [text]), toBlock('sh', command)];
  if (isSilent !== true) parts.push(toBlock('http', replace(renderOutput(output, hasAllHeaders))));
  const kept = Object.entries(keep).map(([name, path]) => `\`${path}\` as \`${name}\``);
  if (kept.length > 0) parts.push(`Keep ${kept.join(', ')}.`);
  return parts.join('\n\n');
}

const toBlock = (language: string, text: string): string =>
  `\`\`\`${language}\n${text.trimEnd().replace(/[ \r]+$/gm, '')}\n\`\`\``;

function renderOutput(output: string, hasAllHeaders: boolean): string {
  const answer = readAnswer(output);
  if (!answer) return output;
  const head = answer.head.filter((line, i) => {
    const name = (line.split(':')[0] ?? '').toLowerCase();
    return i === 0 || (hasAllHeaders ? !neverShown.has(name) : !ofEveryAnswer.has(name));
  });
  return `${head.join('\n')}\n\n${indentJson(answer.body)}`;
}

/** With one member on each line, unless that would change a number: `159.90` stays as it is. */
function indentJson(body: string): string {
  if (!body.startsWith('{')) return body;
  try {
    const value = JSON.parse(body) as unknown;
    return JSON.stringify(value) === body ? JSON.stringify(value, null, 2) : body;
  } catch {
    return body;
  }
}
