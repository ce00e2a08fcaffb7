CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE purchase(id INTEGER PRIMARY KEY, customer INTEGER, item TEXT, cents INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000)
  INSERT INTO customer SELECT i, 'name ' || hex(i*619%1009), 'city ' || i*i%37 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000)
  INSERT INTO purchase SELECT i, i*31%1000+1, printf('item %05d %.*c', i*i%997, i%60+1, 'x'), i*i%9973 FROM n;
CREATE INDEX purchase_customer ON purchase(customer);
CREATE INDEX purchase_item ON purchase(item);
SELECT city, count(*), sum(cents) FROM customer c JOIN purchase p ON c.id=p.customer GROUP BY city ORDER BY 3 DESC;
SELECT item, group_concat(name, ', ') FROM purchase p JOIN customer c ON c.id=p.customer WHERE cents>9000 GROUP BY item ORDER BY length(item) DESC LIMIT 20;
UPDATE purchase SET item = upper(item) || ' sold' WHERE cents % 3 = 0;
DELETE FROM purchase WHERE id % 5 = 0;
SELECT name, (SELECT max(cents) FROM purchase WHERE customer=c.id) AS best FROM customer c ORDER BY best DESC, name LIMIT 50;
SELECT json_group_array(json_object('id', id, 'name', name, 'city', city)) FROM customer;
