// Fails where the colours of tokens.css break a promise: text has WCAG's AA contrast on every surface in both themes,
// and statuses stay apart, also for eyes without red or green cones (Machado, Oliveira and Fernandes 2009; distance in
// OKLab). Run: node style/check-colours.mjs

import { readFileSync } from 'node:fs';

const APART = 0.1;
const AA_TEXT = 4.5;
const AA_SHAPE = 3;
const EYES = {
  all: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  deuteranope: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  protanope: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
};
const STATUSES = ['failed', 'error', 'aborted', 'passed', 'skipped', 'running', 'waiting'];
const SURFACES = ['canvas', 'surface', 'surface-2'];

const source = readFileSync(new URL('tokens.css', import.meta.url), 'utf8');
const declared = new Map([...source.matchAll(/--([\w-]+):\s*([^;]+);/g)].map(([, name, value]) => [name, value]));

/** `[lightness, chroma, hue]` of a token in a theme. */
function token(name, theme) {
  const value = declared.get(name);
  if (value === undefined) throw new Error(`tokens.css has no --${name}`);
  const other = value.match(/^var\(--([\w-]+)\)$/);
  if (other) return token(other[1], theme);
  const mixed = value.match(/^color-mix\(in oklab, var\(--([\w-]+)\) (\d+)%, var\(--([\w-]+)\)\)$/);
  if (mixed) return mix(token(mixed[1], theme), token(mixed[3], theme), Number(mixed[2]) / 100);
  const colours = [...value.matchAll(/oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)/g)].map((found) => found.slice(1).map(Number));
  const colour = theme === 'dark' ? (colours[1] ?? colours[0]) : colours[0];
  if (!colour) throw new Error(`--${name} is no oklch() colour: ${value}`);
  return [colour[0] / 100, colour[1], colour[2]];
}

function mix(one, other, share) {
  const axes = ([lightness, chroma, hue]) => [lightness, chroma * Math.cos((hue * Math.PI) / 180), chroma * Math.sin((hue * Math.PI) / 180)];
  const [from, to] = [axes(one), axes(other)];
  const [lightness, a, b] = from.map((value, at) => value * share + to[at] * (1 - share));
  return [lightness, Math.hypot(a, b), (Math.atan2(b, a) * 180) / Math.PI];
}

function linear([lightness, chroma, hue]) {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const rgb = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return rgb.map((channel) => Math.min(1, Math.max(0, channel)));
}

function oklab([r, g, b]) {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function seen(colour, eyes) {
  const rgb = linear(colour);
  const turned = eyes.map((row) => row.reduce((sum, factor, at) => sum + factor * rgb[at], 0));
  return oklab(turned.map((channel) => Math.min(1, Math.max(0, channel))));
}

function contrast(one, other) {
  const luminance = (colour) => linear(colour).reduce((sum, channel, at) => sum + channel * [0.2126, 0.7152, 0.0722][at], 0);
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

let broken = 0;
let least = {};

function expect(what, theme, value, limit) {
  const kind = limit === APART ? 'distance' : `contrast ${limit}`;
  least[kind] = Math.min(least[kind] ?? Infinity, value);
  if (value >= limit) return;
  broken += 1;
  console.error(`${theme}: ${what}: ${value.toFixed(3)}, must be at least ${limit}`);
}

for (const theme of ['light', 'dark']) {
  const contrasts = (front, back, limit) =>
    expect(`${front} on ${back}`, theme, contrast(token(front, theme), token(back, theme)), limit);
  const words = STATUSES.filter((status) => declared.has(status));
  for (const surface of SURFACES) {
    for (const text of ['ink', 'ink-2', 'accent', 'accent-hover', ...words]) contrasts(text, surface, AA_TEXT);
  }
  for (const surface of ['canvas', 'surface']) contrasts('line-strong', surface, AA_SHAPE);
  for (const status of words) contrasts(status, `${status}-soft`, AA_TEXT);
  for (const text of ['ink', 'ink-2', 'accent', ...words]) contrasts(text, 'accent-soft', AA_TEXT);
  for (const text of ['on-accent']) for (const back of ['accent', 'accent-hover']) contrasts(text, back, AA_TEXT);
  for (const text of ['log-ink', 'ink-2', ...Array.from({ length: 16 }, (_, at) => `ansi-${at}`)]) contrasts(text, 'log-canvas', AA_TEXT);
  for (const text of ['log-ink', 'ink', ...Array.from({ length: 16 }, (_, at) => `ansi-${at}`)]) contrasts(text, 'mark', AA_TEXT);
  // As ansi.css draws a text that asks for both; exact colours are between black and white, as far as they are clamped.
  const asked = Array.from({ length: 16 }, (_, at) => [`ansi-${at}`, token(`ansi-${at}`, theme)]);
  const ends = theme === 'dark' ? [0.72, 1] : [0, 0.53];
  asked.push(...ends.map((lightness) => [`grey ${lightness}`, [lightness, 0, 0]]));
  for (const [text, letters] of asked) {
    for (const [back, ground] of asked) {
      const front = mix(letters, token('log-ink', theme), 0.5);
      const behind = mix(ground, token('log-canvas', theme), 0.22);
      expect(`${text} on a ground of ${back}`, theme, contrast(front, behind), AA_TEXT);
    }
  }

  // Any two can be neighbours where a job has none of what stands between them.
  for (const kind of ['', '-fill']) {
    const names = STATUSES.map((status) => status + kind).filter((name) => declared.has(name));
    for (const [at, one] of names.entries()) {
      for (const other of names.slice(at + 1)) {
        for (const [eyes, matrix] of Object.entries(EYES)) {
          const [from, to] = [one, other].map((name) => seen(token(name, theme), matrix));
          expect(`${one} beside ${other} (${eyes})`, theme, Math.hypot(...from.map((value, i) => value - to[i])), APART);
        }
      }
    }
  }
}

for (const [kind, value] of Object.entries(least)) console.log(`least ${kind}: ${value.toFixed(2)}`);
if (broken > 0) process.exit(1);
