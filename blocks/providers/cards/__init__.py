"""Any model of a service, by a card: a frozen file made from the service's own schema.

`schema`     a service's document of an endpoint -> plain JSON Schema of its inputs and outputs
`inputs`     a property of such a schema -> what a cell of a shot list may hold
`roles`      which input a column means that means the same everywhere
`rules`      rules between inputs that the schema has only in words, or as conditions
`units`      billing units as a formula over the inputs
`card`       the card: its file, and the model that a list names
`catalogue`  where cards are found; `shipped/` holds those that come with shotreel
"""
