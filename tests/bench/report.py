"""Figures, the table of them, and the file."""
import dataclasses
import json
import statistics


@dataclasses.dataclass
class Figure:
    work: str
    measured: str
    floor: str = ''
    # Measured against the floor; None where there is none.
    ratio: float | None = None
    reach: str = 'printed'
    # None: nothing to reach.
    met: bool | None = None
    # What comparable services promise for it.
    peers: str = ''
    # For the file.
    details: dict = dataclasses.field(default_factory=dict)


def failed(work, reason):
    return Figure(work=work, measured='not measured', reach=str(reason).splitlines()[0][:60], met=False, details={'error': str(reason)})


def spread(values):
    """Median, least and most."""
    return {'median': statistics.median(values), 'min': min(values), 'max': max(values), 'all': list(values)}


def table(figures):
    heads = ('work', 'measured', 'floor', 'ratio', 'reach', '', 'peers promise')
    rows = [heads]
    for figure in figures:
        verdict = {None: '', True: 'reached', False: 'MISSED'}[figure.met]
        ratio = f'{figure.ratio:.2f}' if figure.ratio is not None else ''
        rows.append((figure.work, figure.measured, figure.floor, ratio, figure.reach, verdict, figure.peers))
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines.insert(1, '  '.join('-' * width for width in widths))
    return '\n'.join(lines)


def write(path, machine, options, figures):
    document = {'machine': machine, 'options': options, 'figures': [dataclasses.asdict(figure) for figure in figures]}
    with open(path, 'w') as file:
        json.dump(document, file, indent=2)
        file.write('\n')
