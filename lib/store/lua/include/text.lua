-- The texts of a request lie in pieces: Redis keeps a hash in one block, at a third of the memory, while no value is longer than 64 bytes.
-- Those of its payload, which every request has, have no name but their number.
local PAYLOAD = ''
-- Adds the pieces of a text to the fields of a hash. How many they are.
local function add_text(add, name, text)
  -- A long one gains nothing by it, and many pieces are slow to find.
  local size, pieces = #text <= 2048 and 64 or #text, 0
  repeat
    pieces = pieces + 1
    add(name .. pieces, text:sub((pieces - 1) * size + 1, pieces * size))
  until pieces * size >= #text
  return pieces
end
local function write_text(key, name, text)
  local fields = {}
  local pieces = add_text(function(field, piece)
    fields[#fields + 1] = field
    fields[#fields + 1] = piece
  end, name, text)
  redis.call('HSET', key, unpack(fields))
  while redis.call('HDEL', key, name .. pieces + 1) == 1 do pieces = pieces + 1 end
end
-- All fields of a request by their names: one call is less work than one for each piece.
local function fields_of(key)
  local listed, fields = redis.call('HGETALL', key), {}
  for at = 1, #listed, 2 do fields[listed[at]] = listed[at + 1] end
  return fields
end
local function text_in(fields, name)
  local pieces, piece = {}, fields[name .. 1]
  while piece do
    pieces[#pieces + 1] = piece
    piece = fields[name .. #pieces + 1]
  end
  return #pieces > 0 and table.concat(pieces)
end
