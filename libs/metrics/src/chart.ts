import type { EChartsCoreOption } from 'echarts/core';

/** Colours of every chart. The series follow Okabe and Ito's palette, which colour-blind people can distinguish. */
export const palette = {
  series: ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9'],
  text: '#222222',
  faint: '#666666',
  grid: '#e4e4e4',
};

/** Options shared by all charts: a title above the plot, white background, no animation. */
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

/** A numeric axis with its name centred along it. */
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

/** Renders an ECharts option as SVG text. ECharts is loaded on the first call, because most importers draw nothing. */
export async function drawSvg(option: EChartsCoreOption, size: { width: number; height: number }): Promise<string> {
  const { renderSvg } = await import('./svg-renderer.js');
  return renderSvg(option, size);
}
