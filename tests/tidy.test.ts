import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '' && !path.startsWith('protos/gen/'));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const isCode = (path: string): boolean => /\.(ts|mjs|js)$/.test(path);
const isTest = (path: string): boolean => /\.test\.ts$/.test(path);
const code = tracked.filter(isCode);
const docs = tracked.filter((path) => path.endsWith('.md'));
const prose = tracked.filter((path) => isCode(path) || /\.(md|proto|sql)$/.test(path));
/** This file names what it bans, and the glossary what each term replaced. */
const exempt = new Set(['tests/tidy.test.ts', 'docs/glossary.md']);

/** `path:line: text` of each line that matches. */
function findLines(paths: readonly string[], pattern: RegExp): string[] {
  return paths
    .filter((path) => !exempt.has(path))
    .flatMap((path) =>
      read(path)
        .split('\n')
        .flatMap((line, index) =>
          pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [],
        ),
    );
}

describe('length of lines', () => {
  const files = tracked.filter((path) => isCode(path) || /\.(proto|sql)$/.test(path));
  /**
   * One word of 40 characters or more (a path, a text, a pattern) that the formatter keeps whole.
   */
  const isOneText =
    /(['"`]).{40,}\1|`.{40,}$|^[^'"]{40,}`|\/.{40,}\/[a-z]*|^\s*(rpc|SELECT|UPDATE) /;

  it('lines of code, protos and SQL have at most 100 characters, but for whole texts', () => {
    const long = findLines(files, /^.{101}/u);
    expect(long.filter((line) => !isOneText.test(line))).toEqual([]);
  });

  it('lines of code, protos and SQL have at most 160 characters in any case', () => {
    expect(findLines(files, /^.{161}/u)).toEqual([]);
  });
});

describe('number of files in a folder', () => {
  const maxFiles = 20;
  const countByFolder = (paths: readonly string[]): [string, number][] => {
    const counts = new Map<string, number>();
    for (const path of paths) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
    return [...counts];
  };

  it.each([
    ['sources', code.filter((path) => !isTest(path))],
    ['tests', code.filter(isTest)],
  ])(`a folder has at most ${maxFiles} %s`, (_kind, paths) => {
    expect(paths.length).toBeGreaterThan(100);
    expect(countByFolder(paths).filter(([, count]) => count > maxFiles)).toEqual([]);
  });
});

describe('titles of tests', () => {
  // A report and a search show the title of a test without that of its group.
  const verbs =
    'is|are|has|have|does|do|can|cannot|must|takes|gives|keeps|refuses|shows|lists|prints|ends|' +
    'fails|says|sends|makes|asks|reads|writes|returns|accepts|rejects|stops|starts|finds|tries';
  const isFragment = new RegExp(`^\\s*(it|test)\\(['"\`](${verbs}|and|or|that|whose|whom)\\b`);

  it('a title of a test does not begin in the middle of a sentence', () => {
    expect(isFragment.test("  it('is refused', () => {")).toBe(true);
    expect(findLines(code.filter(isTest), isFragment)).toEqual([]);
  });
});

describe('waits of tests', () => {
  /** Each call of a function in a text, from its name to its closing bracket. */
  function findCalls(text: string, name: string): string[] {
    return text
      .split(name)
      .slice(1)
      .map((rest) => {
        let depth = 0;
        for (let at = 0; at < rest.length; at += 1) {
          if (rest[at] === '(') depth += 1;
          if (rest[at] === ')') depth -= 1;
          if (depth === 0) return rest.slice(0, at + 1);
        }
        return rest;
      });
  }
  const isLimited = (call: string): boolean =>
    /(\btimeout\b[^}]*\}|, (\d[\d_]+|[a-z]\w*)),?\s*\)$/.test(call);

  it('a wait of a test names its time limit: a loaded machine needs more than the usual 1 s', () => {
    expect(isLimited('(() => expect(one).toBe(2))')).toBe(false);
    expect(isLimited('(() => expect(one).toBe(2), { timeout: 20_000 })')).toBe(true);
    const unlimited = code
      .filter((path) => path.startsWith('tests/') || isTest(path) || path.includes('test-support'))
      .filter((path) => !exempt.has(path))
      .flatMap((path) =>
        ['vi.waitFor', 'expect.poll', 'expect\n      .poll', 'expect\n    .poll']
          .flatMap((name) => findCalls(read(path), name))
          .filter((call) => call.startsWith('(') && !isLimited(call))
          .map((call) => `${path}: ${call.slice(0, 80)}`),
      );
    expect(unlimited).toEqual([]);
  });
});

/** Private names of mechanisms that have a standard name (docs/glossary.md). */
const bannedIdentifiers = [
  ...['createGate', 'createNap', 'createPace', 'createFit', 'createHeads', 'createHold'],
  ...['createTeller', 'createPieces', 'createKnownSums', 'createParkedWallets', 'createStrangers'],
  ...['Teller', 'Heads', 'KnownSums', 'Nap', 'Fit', 'Posting', 'Posted', 'Strangers'],
  ...['findHeld', 'tellDenial', 'moveWallets', 'raiseServer', 'holdServer', 'settleRows'],
  ...['settledAt', 'settledAtMs', 'settled_at', 'settleMail', 'settleWallet', 'readSettled'],
  ...['quickCommit', 'knownSums', 'minCaution', 'maxCaution'],
];

/** Phrases for which technical English has a word that readers search for. */
const bannedPhrases = [
  ...['nobody', 'anybody', 'somebody', 'everybody', 'whoever', 'by our own hand', 'own hand'],
  ...['out of reach', 'in hand', 'put right', 'puts right', 'mend', 'mended', 'mends'],
  ...['is told', 'are told', 'was told', 'were told', 'be told', 'unless told', 'tells'],
  ...['is away', 'are away', 'goes aside', 'go aside', 'put aside', 'let in', 'lets in'],
  ...['the door', 'waiting room', 'known sums', 'a past that', 'a place for', 'the rooms'],
  ...['for good', 'in vain', 'astray', 'beats the', 'gives way', 'from of old'],
];

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const anyOf = (words: readonly string[], flags: string): RegExp =>
  new RegExp(`(?<![\\w-])(${words.map(escape).join('|')})(?![\\w-])`, flags);

describe('vocabulary', () => {
  it('code and docs use no private name for a mechanism with a standard one', () => {
    expect(findLines(prose, anyOf(bannedIdentifiers, 'u'))).toEqual([]);
  });

  it('code and docs use no banned phrase', () => {
    expect(findLines(prose, anyOf(bannedPhrases, 'iu'))).toEqual([]);
  });
});

describe('SQL', () => {
  /** Where the text of a statement may stand. */
  const places = [
    /^daemon\/(auth|wallet|statement)\/(.+\/)?([\w-]+-)?store(-[\w-]+)?\.ts$/,
    /^daemon\/(auth|wallet|statement)\/(.+\/)?store\//,
    /^daemon\/platform\/(db|outbox|audit|dead-letters|mail|status)\//,
    /^daemon\/embedded\//,
    // One or two statements beside the rule that they serve.
    /^daemon\/auth\/(mails\/codes|recovery\/credentials|users\/change-password)\.ts$/,
    /^daemon\/auth\/sessions\/(caller-session|device-tokens|revoke|session-cap)\.ts$/,
    /^daemon\/statement\/(exports\/oldest|projection\/gaps)\.ts$/,
    /^daemon\/(platform\/progress|wallet\/events)\/outbox\.ts$/,
  ];

  it('SQL occurs only in the stores of services and the tables of the platform', () => {
    const begins = /[`'"]\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s/;
    const others = code.filter(
      (path) =>
        /^(daemon|cli|core|lib)\//.test(path) &&
        !isTest(path) &&
        !path.endsWith('test-support.ts') &&
        !places.some((place) => place.test(path)),
    );
    expect(findLines(others, begins)).toEqual([]);
  });
});

describe('tests', () => {
  const tests = code.filter((path) => isTest(path) || path.startsWith('tests/'));

  it('tests assert no elapsed time', () => {
    expect(findLines(tests, /expect\((performance|Date)\.now\(\)\s*-/)).toEqual([]);
    expect(findLines(tests, /expect\([^)]*([eE]lapsed|[tT]ook)\w*\)/)).toEqual([]);
  });

  it('tests use no randomness without a seed', () => {
    expect(findLines(tests, /Math\.random\(/)).toEqual([]);
  });

  it('tests connect to Postgres through connectClient, which bears the end of the server', () => {
    const others = tests.filter((path) => path !== 'tests/support/postgres/client.ts');
    expect(findLines(others, /new pg\.Client\(/)).toEqual([]);
    const pools = others.filter((path) => read(path).includes('new pg.Pool('));
    expect(pools.filter((path) => !read(path).includes(".on('error'"))).toEqual([]);
  });
});

describe('documents', () => {
  const names = new Set(tracked.map((path) => basename(path)));
  const paths = new Set(tracked);
  const endings = tracked.flatMap((path) => path.split('/').map((_part, at, all) => all.slice(at)));
  const suffixes = new Set(endings.map((parts) => parts.join('/')));

  /** Names of files in backquotes: with a slash, a path or the end of one; else a file's name. */
  function findMissing(path: string): string[] {
    const named = read(path).matchAll(/`(?!x\.)([\w./-]+\.(?:ts|mjs|proto|sql))`/g);
    return [...named]
      .map(([, name = '']) => name)
      .filter((name) => (name.includes('/') ? !suffixes.has(name) : !names.has(name)));
  }

  it.each(docs.filter((path) => path !== 'CHANGELOG.md'))('%s names files that exist', (path) => {
    expect(findMissing(path)).toEqual([]);
  });

  it('documents link to existing files only', () => {
    const broken = docs.flatMap((path) =>
      [...read(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
        .map(([, target = '']) => join(dirname(path), target))
        .filter((target) => !paths.has(target) && !suffixes.has(target))
        .filter((target) => !tracked.some((file) => file.startsWith(`${target}/`)))
        .map((target) => `${path}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('decisions are numbered without a gap, but for the numbers that the index explains', () => {
    const folder = 'docs/decisions';
    const numbers = tracked
      .map((path) => new RegExp(`^${folder}/(\\d{4})-`).exec(path)?.[1])
      .filter((number) => number !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
    const explained = /under the numbers ([\d, and]+)/.exec(read(`${folder}/README.md`))?.[1] ?? '';
    const all = [...numbers, ...(explained.match(/\d+/g) ?? []).map(Number)].sort((a, b) => a - b);
    expect(all).toEqual(all.map((_number, index) => index + 1));
  });

  it('functions and types that the walk through the code names exist', () => {
    const paths = ['docs/walkthrough.md', 'ARCHITECTURE.md'];
    const names = paths.flatMap((path) => read(path).match(/(?<=`)[a-z]+[A-Z]\w*(?=[`(])/g) ?? []);
    expect(names.length).toBeGreaterThan(100);
    const words = new Set(code.flatMap((path) => read(path).match(/\w+/g) ?? []));
    expect(names.filter((name) => !words.has(name))).toEqual([]);
  });

  it('the index of decisions lists each one under its own title', () => {
    const index = read('docs/decisions/README.md');
    for (const path of docs.filter((file) => /^docs\/decisions\/\d/.test(file))) {
      const title = /^# (\d+)\. (.+)$/m.exec(read(path));
      expect(title, path).not.toBeNull();
      expect(index).toContain(`${title?.[1]}. [${title?.[2]}](${basename(path)})`);
    }
  });
});
