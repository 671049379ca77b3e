import { setTimeout as sleep } from 'node:timers/promises';

import { pause } from '../load/load.ts';
import { during, last, type Cause } from './cause.ts';

export const cutBroker: Cause = (scene) => {
  const { load, random } = scene;
  const { broker, vhost } = load.site;
  return during(scene, 'all connections', async () => {
    await broker.ctl('close_all_connections', '--vhost', vhost, 'fault run');
    await pause(load, random.int(1_000));
  });
};

export const killBroker: Cause = (scene) => {
  const { broker } = scene.load.site;
  return during(scene, 'RabbitMQ', async () => {
    await broker.kill();
    await sleep(scene.random.int(1_000));
    await broker.start();
  });
};

export const stopBroker: Cause = (scene) => {
  const { broker } = scene.load.site;
  return during(scene, 'RabbitMQ', async () => {
    broker.freeze();
    await last(scene);
    broker.thaw();
  });
};

export const restartBroker: Cause = (scene) => {
  const { broker } = scene.load.site;
  return during(scene, 'RabbitMQ', async () => {
    await broker.stopApp();
    await broker.start();
  });
};

/** RabbitMQ blocks all that publish. */
export const alarmBroker: Cause = (scene) => {
  const { broker } = scene.load.site;
  return during(scene, 'RabbitMQ', async () => {
    await broker.ctl('set_vm_memory_high_watermark', '0');
    await last(scene);
    await broker.ctl('set_vm_memory_high_watermark', '0.6');
  });
};

/** With its messages: their producer sends again what stays without an answer. */
export const deleteQueue: Cause = (scene) => {
  const { load } = scene;
  const { broker, vhost } = load.site;
  return during(scene, 'wallet_queue', async () => {
    await broker.ctl('delete_queue', '-p', vhost, 'wallet_queue');
    load.tally.deletedQueues += 1;
    await sleep(1_000);
  });
};

export const pauseListener: Cause = (scene) =>
  during(scene, 'listener', async () => {
    scene.listener.pause();
    await last(scene);
    scene.listener.goOn();
  });
