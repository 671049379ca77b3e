import { setTimeout as sleep } from 'node:timers/promises';

import { failpoints } from '../failpoints/failpoints.ts';
import { during, last, pickFaultNode, startAgain, type Cause } from './cause.ts';

export const stopDaemon: Cause = (scene) => {
  const node = pickFaultNode(scene);
  return during(scene, node.name, async () => {
    node.signal('SIGSTOP');
    await last(scene);
    node.signal('SIGCONT');
  });
};

export const killDaemon: Cause = (scene) => {
  const node = pickFaultNode(scene);
  return during(scene, node.name, async () => {
    await node.kill();
    await sleep(300 + scene.random.int(1_700));
    await startAgain(node);
  });
};

export const restartDaemon: Cause = (scene) => {
  const node = pickFaultNode(scene);
  return during(scene, node.name, async () => {
    await node.stop();
    await startAgain(node);
  });
};

const reachMs = 10_000;

/**
 * kill -9 at a named step: a daemon with failpoints takes the place of another, and kills itself
 * when it comes there for the nth time.
 */
export const killAtStep: Cause = async (scene) => {
  const { random, load } = scene;
  const node = pickFaultNode(scene);
  const { name, maxHits, isOfRelay = false } = random.pick(failpoints);
  const hits = 1 + random.int(maxHits);
  const program = await scene.buildWithFailpoints();
  await during(scene, node.name, async () => {
    const others = isOfRelay ? load.site.nodes.filter((other) => other.name !== node.name) : [];
    await Promise.all([node, ...others].map((one) => one.stop()));
    await startAgain(node, { WALLETD_FAILPOINT: `${name}:${hits}` }, program);
    await Promise.all(others.map((other) => startAgain(other)));
    const isReached = await Promise.race([node.exited().then(() => true), sleep(reachMs, false)]);
    if (!isReached) await node.kill();
    load.tally.noteStep(name, isReached);
    await startAgain(node);
  });
};

/** The wall clock of a daemon steps, and later back. */
export const stepDaemonClock: Cause = (scene) => {
  const { ownClock, name } = pickFaultNode(scene);
  const seconds = scene.random.pick([2, -2, 60, -60, 240, -240]);
  return during(scene, `${name} ${seconds > 0 ? '+' : ''}${seconds} s`, async () => {
    await ownClock.set(seconds);
    await last(scene);
    await ownClock.set(0);
  });
};
