import { parentPort, workerData } from 'node:worker_threads';
import { openWire } from '../wires/open-wire.js';
import { answerChecker } from './answer-checker.js';
import { LoadDriver } from './driver.js';
import { revived, type ThreadCommand, type ThreadEvent, type ThreadOrder } from './order.js';

/** The thread of a `ThreadDriver`. */
const order = workerData as ThreadOrder;
const { part, answered } = order;
const material = revived(order.material);

function post(event: ThreadEvent): void {
  parentPort!.postMessage(event);
}

const driver = new LoadDriver({
  material,
  part,
  makeWire: (user) => openWire(material.target, user),
  check: answerChecker(material.target.protocol, material.streams),
  answered: new Int32Array(answered),
  mayNap: true,
  onExhausted: () => post({ kind: 'exhausted' }),
  onBroken: (message) => post({ kind: 'broken', message }),
});

parentPort!.on('message', (command: ThreadCommand) => {
  obey(command).catch((error: Error) => post({ kind: 'refused', message: error.message }));
});

async function obey(command: ThreadCommand): Promise<void> {
  switch (command.kind) {
    case 'provide':
      await driver.provide(command.load);
      post({ kind: 'provided' });
      break;
    case 'begin':
      driver.begin(command.load, command.beginMs, command.limit);
      break;
    case 'take':
      post({ kind: 'window', window: driver.take() });
      break;
    case 'drain':
      post({ kind: 'window', window: await driver.drain() });
      break;
    case 'close':
      driver.close();
      parentPort!.close();
  }
}
