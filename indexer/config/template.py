"""The commented file that `twinlens init` writes."""

TEMPLATE = """\
# Twinlens, the nightly run:   twinlens batch --config twinlens.toml
# Try it first, it changes nothing:   twinlens batch --config twinlens.toml --check
#
# Relative paths start from the folder of this file. Lines with # before a key show its default, or an example.
# Secrets stay out of it: the environment's TWINLENS_TOKEN holds `user:password` or an API key for a server,
# TWINLENS_URI may name another server or Milvus Lite path than [collection] uri.

[collection]
uri = "twinlens.db"             # a Milvus Lite path that ends in .db, or a server: "http://host:19530"
name = "images"
# radius = 0.01                 # for a new collection only
# second_look = true            # likewise
# strict = false                # likewise; true: a spot that is in one picture only, as a logo or an arm that moved,
                                # makes it another picture: for frames of a camera that stands still

# One table for each source. They are read from the lowest priority number on, and within one in the order of
# this file: of two new copies, the one that is read first becomes the original.
[[source]]
path = "photos"                 # a file, a folder with all below it, a .tar or .zip, or a URL ("s3://bucket/prefix")
priority = 10
# include = ["*.jpg", "*.png"]  # patterns as in .gitignore; without them, all images are taken
# exclude = ["thumbs/"]

# [[source]]
# path = "/mnt/scans"
# priority = 20

[reports]
folder = "reports"              # gets runs/<time>/report.jsonl and summary.json, and `latest`
keep = 30                       # older runs are deleted
# unchanged = false             # whether images that did not change get a row, too

[limits]
# max_seconds = 14400           # a run takes no more images after so long; the next one goes on
# max_images = 100000           # or after so many new or changed ones
# threads = 4                   # that encode; all cores without it
# batch_size = 512
# max_pixels = 200000000        # images with more are rejected

[vanish]
grace_days = 7                  # entries of images that are gone are kept so long
at_most_share = 0.5             # when more of a source is gone at once, nothing is taken for deleted

[metrics]
# file = "/var/lib/node_exporter/textfile_collector/twinlens.prom"

[notify]
# command = "curl -fsS --data-binary @- https://hooks.example.org/twinlens"   # gets summary.json; no shell is between
# timeout_s = 60

[log]
# format = "text"               # or "json": JSON Lines on standard error
# progress_s = 60

[encoder]
# weights = "encoder.onnx"      # another encoder's file; the shipped one without it
# device = "auto"               # or "cpu" or "cuda"

[schedule]                      # informative: cron, systemd or Kubernetes decides when
every_hours = 24                # becomes a metric that alert rules can use
# note = "cron, 02:30 every night"
"""
