import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { findFreePort } from '../../support/free-port.ts';
import { startBrowser, watchPage, type Findings } from '../../support/http/browser.ts';
import { serveOtherOrigin } from '../../support/http/other-origin.ts';
import { createWorld } from '../../support/processes/world.ts';

// `npm run docs:screenshots` sets the folder into which this test writes pictures of the pages.
const maxPictureBytes = 150 * 1024;
const pictures = process.env['DOCS_SCREENSHOTS'];

const started: { stop: () => Promise<void> }[] = [];
let url: string;
let page: Page;
let findings: Findings;
let named: string;
let unnamed: string;

// One visit for all tests: the page is large, and each load of it takes its time.
beforeAll(async () => {
  const browser = await startBrowser();
  started.push({ stop: () => browser.close() });
  const world = await createWorld();
  started.push({ stop: () => world.dispose() });
  const port = await findFreePort();
  url = `http://127.0.0.1:${port}`;
  const others = await Promise.all([serveOtherOrigin(), serveOtherOrigin()]);
  started.push(...others);
  [named, unnamed] = others.map(({ origin }) => origin) as [string, string];
  await world.start({ WALLETD_HTTP_LISTEN: `127.0.0.1:${port}`, HTTP_CORS_ORIGINS: named });
  const visit = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  page = await visit.newPage();
  findings = await watchPage(page);
  await page.goto(`${url}/docs`);
  await page.locator('.opblock').first().waitFor();
});
afterAll(() => Promise.all(started.map(({ stop }) => stop())));
beforeEach(() => page.context().clearCookies());

const person = { email: 'ana@example.com', password: 'correct horse battery' };

type Answer = { readonly status: string; readonly text: string };

/** The block of an operation on the page. */
const blockOf = (tag: string, operationId: string): Locator =>
  page.locator(`[id="operations-${tag.replaceAll(' ', '_')}-${operationId}"]`);

/** Opens an operation for a try, unless it is open. */
async function openOperation(tag: string, operationId: string): Promise<Locator> {
  const block = blockOf(tag, operationId);
  const control = block.locator('.opblock-summary-control');
  if ((await control.getAttribute('aria-expanded')) === 'false') {
    await control.click();
    await block.getByRole('button', { name: 'Try it out' }).click();
  }
  return block;
}

/** Tries an operation out with this body and these parameters, and reads the answer. */
async function tryOut(
  [tag, operationId]: readonly [string, string],
  input: { readonly body?: object; readonly parameters?: Record<string, string> } = {},
): Promise<Answer> {
  const block = await openOperation(tag, operationId);
  // An answer of an earlier try would be taken for that of this one.
  const clear = block.getByRole('button', { name: 'Clear' });
  if ((await clear.count()) > 0) await clear.click();
  if (input.body) await block.locator('textarea').fill(JSON.stringify(input.body));
  for (const [name, value] of Object.entries(input.parameters ?? {})) {
    await block.getByPlaceholder(name, { exact: true }).fill(value);
  }
  const answered = page.waitForResponse((response) => response.request().method() !== 'OPTIONS');
  await block.getByRole('button', { name: 'Execute' }).click();
  await answered;
  const row = block.locator('.live-responses-table tbody tr').first();
  await row.locator('.microlight').first().waitFor();
  return {
    status: (await row.locator('.response-col_status').innerText()).trim(),
    text: await row.innerText(),
  };
}

/** Nothing that the policy forbids, no error on the console, and no other host. */
function expectClean(): void {
  expect(findings.violations).toEqual([]);
  expect(findings.errors).toEqual([]);
  const others = findings.requests.filter(
    (request) => !request.includes(` ${url}/`) && !/^GET data:/.test(request),
  );
  expect(others).toEqual([]);
  expect(findings.requests.length).toBeGreaterThan(0);
}

async function takePicture(name: string, of: Page = page): Promise<void> {
  if (pictures === undefined) return;
  await mkdir(pictures, { recursive: true });
  const bytes = await of.screenshot({ path: join(pictures, `${name}.png`) });
  expect(bytes.length).toBeLessThanOrEqual(maxPictureBytes);
}

it('the keyboard alone opens an operation and sends it', async () => {
  await takePicture('docs-overview');
  await page.keyboard.press('Tab');
  await tabTo('.btn.authorize');
  await page.keyboard.press('Enter');
  await page.locator('.modal-ux').waitFor();
  await tabTo('.modal-ux .btn-done');
  await page.keyboard.press('Enter');
  await page.locator('.modal-ux').waitFor({ state: 'detached' });

  const block = '#operations-sign-in-postSessionsRefresh';
  await tabTo(`${block} .opblock-summary-control`);
  await page.keyboard.press('Enter');
  await page.locator(`${block} .try-out__btn`).waitFor();
  await tabTo(`${block} .try-out__btn`);
  await page.keyboard.press('Enter');
  await tabTo(`${block} textarea`);
  await page.keyboard.press('Control+A');
  await page.keyboard.type('{"refreshToken":"dwr_unknown"}');
  await tabTo(`${block} .execute`);
  await page.keyboard.press('Enter');
  const status = page.locator(`${block} .live-responses-table tbody .response-col_status`).first();
  await status.waitFor();
  expect((await status.innerText()).trim()).toMatch(/^401/);
  // The browser reports the refusal, as it does with any failed request.
  const [report, ...others] = findings.errors.splice(0);
  expect(report).toMatch(/status of 401 .* at http.*\/v1\/sessions\/refresh$/);
  expect(others).toEqual([]);
  expectClean();
});

it('a visitor signs up, signs in and moves money with the simple API and its cookie', async () => {
  const signUp = { ...person, confirmPassword: person.password };
  const signedUp = await tryOut(['simple API', 'postAuthSignUp'], { body: signUp });
  expect(signedUp).toMatchObject({ status: '200' });
  expect(signedUp.text).toContain(person.email);
  expect(await tryOut(['simple API', 'postAuthSignIn'], { body: person })).toMatchObject({
    status: '200',
  });
  // The script of the page cannot read the cookie of the session.
  expect(await page.evaluate('document.cookie')).toBe('');

  const deposit = { operation: 0, amount: 159.99 };
  const made = await tryOut(['simple API', 'postWalletTransaction'], { body: deposit });
  expect(made).toMatchObject({ status: '201' });
  expect(made.text).toContain('159.99');
  const balance = await tryOut(['simple API', 'getWalletBalance']);
  expect(balance).toMatchObject({ status: '200' });
  expect(balance.text).toContain('"balanceText": "159.99"');
  const maxDate = new Date().toISOString().slice(0, 10);
  const statement = await tryOut(['simple API', 'postStatementGenerate'], { body: { maxDate } });
  expect(statement).toMatchObject({ status: '200' });
  expect(statement.text).toContain('R$159.99');
  expectClean();
});

it('a visitor signs in under /v1, authorizes the page with the token, and moves money', async () => {
  const email = 'bia@example.com';
  const body = { email, password: person.password };
  const headers = { 'content-type': 'application/json' };
  const signUp = { method: 'POST', headers, body: JSON.stringify(body) };
  expect((await fetch(`${url}/v1/sign-up`, signUp)).status).toBe(201);
  const signedIn = await tryOut(['sign-in', 'postSignIn'], { body });
  expect(signedIn).toMatchObject({ status: '200' });
  const token = /"accessToken": "([^"]+)"/.exec(signedIn.text)?.[1] ?? '';
  expect(token).not.toBe('');

  await page.getByRole('button', { name: 'Authorize' }).first().click();
  const dialog = page.locator('.modal-ux');
  const bearer = dialog.locator('.auth-container', { hasText: 'http, Bearer' });
  await bearer.locator('input').fill(token);
  await bearer.getByRole('button', { name: 'Apply credentials' }).click();
  await dialog.getByRole('button', { name: 'Close' }).first().click();

  const deposit = { operation: 'deposit', amount: '20.00', currency: 'BRL' };
  const made = await tryOut(['transactions', 'postTransactions'], { body: deposit });
  expect(made).toMatchObject({ status: '201' });
  expect(made.text).toContain('"balanceAfter": "20.00"');
  const again = await tryOut(['transactions', 'postTransactions'], {
    body: { ...deposit, amount: '5.00' },
    parameters: { 'Idempotency-Key': 'typed-1' },
  });
  expect(again.text).toContain('"balanceAfter": "25.00"');
  const statement = await tryOut(['statements', 'getStatements']);
  expect(statement).toMatchObject({ status: '200' });
  expect(statement.text).toContain('"closing": "25.00"');
  // A later visit does not find the credential.
  expect(await page.evaluate('localStorage.length + sessionStorage.length')).toBe(0);
  expectClean();
});

/** Presses Tab until an element that matches has the focus. */
async function tabTo(selector: string): Promise<void> {
  const seen: string[] = [];
  for (let presses = 0; presses < 200; presses += 1) {
    const focus = await page.evaluate<[boolean, string]>(
      `[document.activeElement.matches(${JSON.stringify(selector)}),
        document.activeElement.className]`,
    );
    if (focus[0]) return;
    seen.push(focus[1]);
    await page.keyboard.press('Tab');
  }
  throw new Error(`the focus never came to ${selector}; it was on ${seen.slice(-20).join(' | ')}`);
}

it.each([1280, 360])('the pages fit a window of %i pixels', async (width) => {
  await page.setViewportSize({ width, height: 800 });
  const widthOf = () => page.evaluate('document.documentElement.scrollWidth');
  const block = await openOperation('simple API', 'postWalletTransaction');
  await block.getByRole('button', { name: 'Execute' }).scrollIntoViewIfNeeded();
  for (const control of [block.locator('textarea'), block.locator('.execute')]) {
    const box = await control.boundingBox();
    expect(box?.x).toBeGreaterThanOrEqual(0);
    expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(width);
  }
  expect(await widthOf()).toBeLessThanOrEqual(width);
  await takePicture(`docs-${width}`);

  const { errors, found } = await openErrors(width);
  const row = errors.locator('#INSUFFICIENT_FUNDS');
  expect(await row.innerText()).toContain('INSUFFICIENT_FUNDS');
  const top = Math.round((await row.boundingBox())?.y ?? -1);
  expect(top).toBeGreaterThanOrEqual(0);
  expect(top).toBeLessThan(800);
  expect(await errors.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
  await takePicture(`errors-${width}`, errors);
  expect([found.violations, found.errors]).toEqual([[], []]);
  await errors.close();
  expectClean();
});

async function openErrors(width: number) {
  const errors = await page.context().newPage();
  await errors.setViewportSize({ width, height: 800 });
  const found = await watchPage(errors);
  await errors.goto(`${url}/docs/errors#INSUFFICIENT_FUNDS`);
  return { errors, found };
}

it('the browser reports an inline style, and a request to another host, to these tests', async () => {
  const { errors, found } = await openErrors(1280);
  await errors.evaluate(`(async () => {
    document.head.append(Object.assign(document.createElement('style'), { textContent: 'a {}' }));
    await fetch('http://127.0.0.2:9/').catch(() => undefined);
  })()`);
  await expect
    .poll(() => found.violations, { timeout: 20_000 })
    .toEqual([
      expect.stringMatching(/^style-src(-elem)? inline/),
      expect.stringMatching(/^connect-src http:\/\/127\.0\.0\.2:9/),
    ]);
  expect(found.errors.length).toBeGreaterThanOrEqual(2);
  await errors.close();
});

it('a page of an origin of HTTP_CORS_ORIGINS calls /v1 with a token, and no other page does', async () => {
  const body = { email: 'cleo@example.com', password: person.password };
  const headers = { 'content-type': 'application/json' };
  const post = { method: 'POST', headers, body: JSON.stringify(body) };
  expect((await fetch(`${url}/v1/sign-up`, post)).status).toBe(201);
  const other = await page.context().newPage();
  const ask = (path: string, init: object): Promise<unknown> =>
    other.evaluate(
      `fetch(${JSON.stringify(`${url}${path}`)}, ${JSON.stringify(init)})
        .then(async (answer) => [answer.status, await answer.json()], (err) => err.message)`,
    );
  await other.goto(named);
  const signedIn = (await ask('/v1/sign-in', post)) as [number, { tokens: object }];
  expect(signedIn[0]).toBe(200);
  const { accessToken } = signedIn[1].tokens as { accessToken: string };
  const withToken = { ...headers, authorization: `Bearer ${accessToken}` };
  const deposit = {
    ...{ method: 'POST', headers: { ...withToken, 'idempotency-key': 'of-a-page' } },
    body: JSON.stringify({ operation: 'deposit', amount: '3.00' }),
  };
  expect(await ask('/v1/transactions', deposit)).toMatchObject([201, { amount: '3.00' }]);
  const isRefused = 'Failed to fetch';
  expect(await ask('/v1/me', { credentials: 'include' })).toBe(isRefused);
  expect(await ask('/wallet/balance', { headers: withToken })).toBe(isRefused);
  await other.goto(unnamed);
  expect(await ask('/v1/transactions', deposit)).toBe(isRefused);
  expect(await ask('/v1/me', {})).toBe(isRefused);
  await other.close();
});
