"""Ten questions that people ask of a ledger, as SQL over the tables of the plugin `sqlite`. Pure."""

from typing import Final

QUESTIONS: Final = {
    "How many blocks and transactions are there, and how many blocks were voted invalid?": (
        "SELECT count(*) - count(reason) AS blocks, sum(iif(reason IS NULL, transaction_count, 0)) AS transactions, "
        "count(reason) AS invalid FROM blocks"
    ),
    "Why were the last blocks voted invalid?": (
        "SELECT position, height, reason FROM blocks WHERE reason IS NOT NULL ORDER BY position DESC LIMIT 10"
    ),
    "How many transactions were there each day?": (
        "SELECT date(time, 'unixepoch') AS day, sum(transaction_count) AS transactions FROM blocks "
        "WHERE reason IS NULL GROUP BY day ORDER BY day DESC LIMIT 30"
    ),
    "Which assets are the newest, and what are they?": (
        "SELECT id, data FROM transactions WHERE operation = 'CREATE' ORDER BY seq DESC LIMIT 10"
    ),
    "Which assets of a kind are there?": (
        "SELECT id, data->>'$.name' AS name FROM transactions WHERE data->>'$.kind' = 'bicycle'"
    ),
    "Which assets change hands most?": (
        "SELECT a.id, count(*) AS transfers FROM transactions AS t JOIN transactions AS a ON a.seq = t.asset "
        "WHERE t.operation = 'TRANSFER' GROUP BY t.asset ORDER BY transfers DESC LIMIT 10"
    ),
    "Who holds the asset that changed hands last?": (
        "SELECT public_keys, amount FROM holders WHERE asset_id = (SELECT a.id FROM transactions AS t "
        "JOIN transactions AS a ON a.seq = t.asset ORDER BY t.seq DESC LIMIT 1) ORDER BY amount DESC"
    ),
    "Which keys hold the most assets?": (
        "SELECT public_key, count(*) AS assets, sum(output_count) AS outputs FROM balances "
        "GROUP BY public_key ORDER BY assets DESC LIMIT 10"
    ),
    "What can the first owner of all spend?": (
        "SELECT u.transaction_id, u.output_index, u.amount, u.asset_id FROM output_owners AS w "
        "JOIN unspent AS u ON u.seq = w.seq AND u.output_index = w.output_index "
        "WHERE w.public_key = (SELECT public_key FROM output_owners ORDER BY seq LIMIT 1)"
    ),
    "Which way did the first asset go?": (
        "SELECT datetime(b.time, 'unixepoch') AS time, t.operation, o.amount, w.public_key FROM transactions AS t "
        "JOIN blocks AS b ON b.position = t.position JOIN outputs AS o ON o.seq = t.seq "
        "LEFT JOIN output_owners AS w ON w.seq = o.seq AND w.output_index = o.output_index "
        "WHERE t.asset = (SELECT min(asset) FROM transactions WHERE asset > 0) ORDER BY o.seq, o.output_index"
    ),
}
"""SQL by question."""
