import type { EChartsCoreOption } from 'echarts/core';

/** Ink and paper of every picture; series in the order of Okabe and Ito's palette, which colour-blind people can tell apart. */
export const palette = {
  series: ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9'],
  text: '#222222',
  faint: '#666666',
  grid: '#e4e4e4',
};

/** What all pictures have: a title over the plot, a legend under it, white paper. */
export const chartBase = (title: string, subtitle?: string): EChartsCoreOption => ({
  animation: false,
  backgroundColor: '#ffffff',
  color: palette.series,
  textStyle: { fontFamily: 'sans-serif', color: palette.text },
  title: {
    text: title,
    subtext: subtitle ?? '',
    left: 'center',
    top: 8,
    textStyle: { fontSize: 16, color: palette.text },
    subtextStyle: { fontSize: 12, color: palette.faint },
  },
});

/** A numbered axis with its name in the middle of it. */
export const valueAxis = (name: string, nameGap: number, more: object = {}): object => ({
  type: 'value',
  name,
  nameLocation: 'middle',
  nameGap,
  nameTextStyle: { fontSize: 13, color: palette.text },
  axisLine: { show: true, lineStyle: { color: palette.faint } },
  axisTick: { show: true },
  axisLabel: { fontSize: 12, color: palette.text },
  splitLine: { lineStyle: { color: palette.grid } },
  ...more,
});

/** Draws an ECharts option as SVG text. ECharts is loaded here, since most who import this library draw nothing. */
export async function drawSvg(option: EChartsCoreOption, size: { width: number; height: number }): Promise<string> {
  const { renderSvg } = await import('./svg-renderer.js');
  return renderSvg(option, size);
}
