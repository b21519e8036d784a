// Submits a number of jobs of two scenarios by eight clients, and says how long it took.
// usage: submit.mjs BASE_URL TOKEN NUMBER

import { Agent, request } from 'node:http';

const [base, token, number] = process.argv.slice(2);
const CLIENTS = 8;
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
const body = JSON.stringify({ branch_name: 'main', scenarios: ['smoke/scenario1', 'smoke/scenario2'] });
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-length': body.length };

function submit() {
  return new Promise((resolve, reject) => {
    const sent = request(`${base}/api/submit_job`, { method: 'POST', agent, headers }, (answer) => {
      let text = '';
      answer.on('data', (piece) => (text += piece));
      answer.on('end', () => (answer.statusCode === 201 ? resolve() : reject(new Error(`${answer.statusCode} ${text}`))));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

let left = Number(number);
const start = Date.now();
await Promise.all(
  Array.from({ length: CLIENTS }, async () => {
    while (left > 0) {
      left -= 1;
      await submit();
    }
  }),
);
console.log(`${number} jobs submitted in ${((Date.now() - start) / 1000).toFixed(1)} s`);
agent.destroy();
