/** Line icons, 24 by 24. They say nothing that the text beside them, or the control's label, does not. */
const shapes = {
  sun: 'M12 4V2m0 20v-2m8-8h2M2 12h2m13.7-5.7 1.4-1.4M4.9 19.1l1.4-1.4m0-11.4L4.9 4.9m14.2 14.2-1.4-1.4M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Z',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z',
  system: 'M4 5h16v11H4zM9 20h6m-3-4v4',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  upload: 'M12 16V5m0 0L7.5 9.5M12 5l4.5 4.5M5 19h14',
  picture: 'M4 5h16v14H4zm0 11 5-5 4 4 2.5-2.5L20 17M15 9.5h.01',
  camera: 'M4 8h3.5L9 6h6l1.5 2H20v11H4zm11.5 5.2a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0Z',
  close: 'm6 6 12 12M18 6 6 18',
  alert: 'M12 8.5v4.5m0 3.2v.1M12 3.5 2.8 19.5h18.4L12 3.5Z',
  play: 'M8 5.5v13l10.5-6.5z',
  refresh: 'M19 8A8 8 0 1 0 20 13.5M19.5 3.5V8.5h-5',
  leave: 'M14 4H5v16h9M10 12h10m0 0-3.5-3.5M20 12l-3.5 3.5',
  log: 'M5 6h14M5 10h14M5 14h9M5 18h11',
  star: 'm12 4 2.4 5 5.6.8-4 3.9.9 5.5-4.9-2.6-4.9 2.6.9-5.5-4-3.9 5.6-.8z',
  trash: 'M5 7h14M10 7V4.5h4V7m3.5 0-.8 12.5H7.3L6.5 7M10 11v5m4-5v5',
  box: 'm12 3.5 8 4.3v8.4l-8 4.3-8-4.3V7.800zm0 8.500 8-4.200M12 12v8.500M12 12 4 7.800',
  link: 'M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700l-1.500 1.500M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700l1.500-1.500',
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}
